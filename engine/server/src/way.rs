//! What every request passes on the way to its handler, and its answer on the way back.
//!
//! It is one layer of the router: each further one would cost a box, and a copy of all that is within it. Deliveries, which come by the
//! thousands, pass the same and go to their handler by themselves: finding a route is half of what HTTP costs them.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;

use crate::access::{Gate, Guard};
use crate::hooks::Place;
use crate::pages::problems::Asked;
use crate::{access, door, hooks, limits};

/// The longest form that a page sends, in bytes.
const FORM_MAX: usize = 4096;

/// What answers every request of the server.
#[derive(Clone)]
pub struct Front(Arc<Parts>);

struct Parts {
    guard: Arc<Guard>,
    router: Router,
}

impl Front {
    pub(crate) fn new(guard: Guard, routes: Router) -> Self {
        let guard = Arc::new(guard);
        Self(Arc::new(Parts { router: routes.layer(from_fn_with_state(guard.clone(), pass)), guard }))
    }

    /// The answer to `request`. Once it is polled it is worked on to its end, though its future is dropped.
    pub async fn answer(&self, request: Request) -> Response {
        match Place::of(&request) {
            Some(place) => delivered(&self.0.guard, place, request).await,
            None => self.routed(request).await,
        }
    }

    /// The same by the router, whatever it is.
    pub async fn routed(&self, request: Request) -> Response {
        self.0.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {})
    }

    /// All routes.
    pub fn router(&self) -> &Router {
        &self.0.router
    }
}

/// Every request that the router has a route for, and those that it has none for.
async fn pass(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let way_in = door::is_way_in(request.uri().path());
    through(&guard, way_in, request, |request| within(guard.clone(), way_in, request, next)).await
}

/// A delivery.
async fn delivered(guard: &Arc<Guard>, place: Place, request: Request) -> Response {
    let deliver = |request| {
        let app = guard.app.clone();
        limits::bounded(&guard.app, true, async move { hooks::deliver(&app, place, request).await.into_response() })
    };
    through(guard, true, request, deliver).await
}

/// Lets a request through the door, into its room and to its handler, if it may; its answer is a page where somebody asked for one, and has
/// its security headers, whatever it is.
async fn through<W: Future<Output = Response>>(
    guard: &Guard,
    way_in: bool,
    mut request: Request,
    handle: impl FnOnce(Request) -> W,
) -> Response {
    let asked = Asked::of(&request);
    let to_machine = way_in && asked.is_none();
    let response = match door::guard(&guard.app, &mut request) {
        Ok(()) => handle(request).await,
        Err(problem) => problem.into_response(),
    };
    let mut response = match asked {
        Some(asked) => asked.answer(response),
        None => response,
    };
    limits::careful(&guard.app, to_machine, response.headers_mut());
    response
}

async fn within(guard: Arc<Guard>, way_in: bool, mut request: Request, next: Next) -> Response {
    let gate = guard.gate(&request);
    // Outside of the bounds: a full server is alive, and says so.
    if matches!(gate, Gate::Health | Gate::Figures) {
        return access::guard(&guard.app, gate, request, next).await.into_response();
    }
    if !way_in {
        DefaultBodyLimit::max(FORM_MAX).apply(&mut request);
    }
    let app = guard.app.clone();
    limits::bounded(&app, way_in, async move { access::guard(&guard.app, gate, request, next).await.into_response() }).await
}

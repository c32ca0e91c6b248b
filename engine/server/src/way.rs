//! What every request passes on the way to its handler, and its answer on the way back.
//!
//! It is one layer of the router: each further one would cost every delivery a box, and a copy of all that is within it.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::access::{Gate, Guard};
use crate::pages::problems::Asked;
use crate::{access, door, limits};

/// The longest form that a page sends, in bytes.
const FORM_MAX: usize = 4096;

/// Lets a request through the door, into its room and to its handler, if it may; its answer is a page where somebody asked for one, and has
/// its security headers, whatever it is.
pub(crate) async fn pass(State(guard): State<Arc<Guard>>, mut request: Request, next: Next) -> Response {
    let asked = Asked::of(&request);
    let way_in = door::is_way_in(request.uri().path());
    let to_machine = way_in && asked.is_none();
    let response = match door::guard(&guard.app, &mut request) {
        Ok(()) => within(guard.clone(), way_in, request, next).await,
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

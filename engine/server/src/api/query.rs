//! Reads the query of a list: which items, how many, from where on.

use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use zelo_store::Page;

use crate::access::Known;
use crate::openapi::shapes;
use crate::problem::Problem;

/// No answer has more items.
const LIMIT_MAX: u32 = 200;

/// What every list can be asked for, as the OpenAPI document says it; [`Parameters::page`] reads it.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is a shape: nothing is made of it")]
pub(super) struct PageQuery {
    /// How many items to answer at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// Only items after these: what an earlier answer gave as `next`.
    before: Option<shapes::Cursor>,
    /// Only of this connection.
    connection: Option<String>,
    /// Only of this clinic.
    clinic: Option<String>,
}

/// The parameters of a request, each at most once.
pub(super) struct Parameters(Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let unreadable = |_| Problem::query("The query is not made of name=value pairs in UTF-8.");
        let Query(mut pairs) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).map_err(unreadable)?;
        pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
        if pairs.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(Problem::query("A parameter stands in the query twice."));
        }
        Ok(Self(pairs))
    }
}

impl Parameters {
    /// Takes the value of `name` out.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let place = self.0.iter().position(|(parameter, _)| parameter == name)?;
        Some(self.0.swap_remove(place).1)
    }

    /// What is asked for; an error if anything is left that no list has. `own` are the names that the caller took itself, `who`
    /// asks, and is told of their clinics alone.
    pub(super) fn page(mut self, own: &'static str, who: &Known) -> Result<Wanted, Problem> {
        let limit = match self.take("limit") {
            None => Page::default().limit,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=LIMIT_MAX).contains(limit))
                .ok_or_else(|| Problem::query(format!("`limit` is a whole number from 1 to {LIMIT_MAX}.")))?,
        };
        let before = match self.take("before") {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| Problem::query("`before` is what an earlier answer gave as `next`."))?),
        };
        let (connection, clinic) = (self.take("connection"), self.take("clinic"));
        if !self.0.is_empty() {
            return Err(Problem::query(format!(
                "There is a parameter that this list does not have; it has limit, before, connection, clinic{own}."
            )));
        }
        Ok(Wanted { limit: limit as usize, page: Page { limit: limit + 1, before, connection, clinic, clinics: who.clinics.clone() } })
    }

    /// Refuses what is left, `known` having been taken.
    pub(super) fn none_but(self, known: &str) -> Result<(), Problem> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Problem::query(format!("There is a parameter that this address does not have; it has {known}.")))
        }
    }

    /// Refuses any parameter.
    pub(super) fn none(self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(Problem::query("This address has no query parameters.")) }
    }
}

/// What a list is asked for.
pub(super) struct Wanted {
    /// How many items to answer.
    limit: usize,
    /// The same for the store, which is asked for one more: it says whether there are more.
    pub(super) page: Page,
}

/// A list as it is answered.
#[derive(Serialize, ToSchema)]
pub(super) struct List<T> {
    pub(super) items: Vec<T>,
    /// What to give as `before` for the items after these. A text, so that nobody counts with it.
    #[schema(value_type = Option<shapes::Cursor>)]
    pub(super) next: Option<String>,
}

impl Wanted {
    /// Those of `rows` that are answered.
    pub(super) fn shown<'r, R>(&self, rows: &'r [R]) -> &'r [R] {
        &rows[..rows.len().min(self.limit)]
    }

    /// The answer made of `rows`.
    pub(super) fn answer<R, T>(&self, rows: &[R], cursor: impl Fn(&R) -> i64, view: impl Fn(&R) -> T) -> List<T> {
        let shown = self.shown(rows);
        let next = if rows.len() > self.limit { shown.last().map(|row| cursor(row).to_string()) } else { None };
        List { items: shown.iter().map(view).collect(), next }
    }
}

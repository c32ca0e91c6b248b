//! How many connections one place has open.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::network::Place;

/// The open connections, by place. As many places as there are connections, at most.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sockets(Arc<Mutex<HashMap<Place, usize>>>);

/// An open connection; it counts until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    sockets: Sockets,
    place: Place,
}

impl Sockets {
    /// One more from `peer`, unless it has `max`.
    pub(crate) fn enter(&self, peer: IpAddr, max: usize) -> Option<Seat> {
        let place = Place::of(Some(peer));
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(place).or_default();
        if *count >= max {
            return None;
        }
        *count += 1;
        Some(Seat { sockets: self.clone(), place })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.sockets.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.place) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_so_many_and_leaves_nothing_behind() {
        let sockets = Sockets::default();
        let enter = |text: &str| sockets.enter(text.parse().unwrap(), 2);
        let (first, second) = (enter("2001:db8::1"), enter("2001:db8::2"));
        assert!(first.is_some() && second.is_some() && enter("2001:db8::3").is_none(), "a /64 is one place");
        assert!(enter("203.0.113.1").is_some());
        drop(first);
        assert!(enter("2001:db8::3").is_some());
        drop(second);
        assert!(sockets.0.lock().unwrap().is_empty());
    }
}

//! Where an edit says what it changed.

use serde_json::Value;

use crate::condition::Documents;
use crate::path::Path;

/// `changes = { of, old, new }` of an `[[events]]`: providers that tell what an edit changed tell it beside the thing itself.
#[derive(Clone, Debug)]
pub struct Changes {
    /// The thing as it is now.
    pub of: Path,
    /// What stood there before; what the edit did not touch may be left out.
    pub old: Path,
    /// What stands there now; what the edit did not touch may be left out.
    pub new: Path,
}

/// What one edit changed.
pub(crate) struct Edit<'e> {
    pub(crate) of: &'e Path,
    pub(crate) old: &'e Value,
    pub(crate) new: &'e Value,
}

impl Changes {
    /// Where the copies stand of what stands at `path`; nowhere where it is not of the thing.
    pub(crate) fn copies(&self, path: &Path) -> Vec<Path> {
        let Some(depth) = path.depth_below(&self.of) else { return Vec::new() };
        let rest = path.places().get(depth).and_then(|place| path.as_str().get(place.start..)).unwrap_or_default();
        [&self.old, &self.new].into_iter().filter_map(|copy| Path::parse(&format!("{}{rest}", copy.as_str())).ok()).collect()
    }

    /// What the event says that it changed; nothing where it says nothing, as the first event of a thing does.
    pub(crate) fn read<'e>(&'e self, documents: &'e dyn Documents) -> Option<Edit<'e>> {
        let there = |path: &Path| documents.event(path).iter().next().filter(|value| !value.is_null());
        Some(Edit { of: &self.of, old: there(&self.old)?, new: there(&self.new)? })
    }
}

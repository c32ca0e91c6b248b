//! Makes plugins: a core module and its `plugin.toml` become one component.

use wit_component::ComponentEncoder;

use crate::inspect::{self, MANIFEST_SECTION};
use crate::manifest::{Manifest, ManifestError};
use crate::plugin::Problem;

/// Why there is no component.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("plugin.toml: {0}")]
    Manifest(#[from] ManifestError),
    #[error("the module cannot be made a component: {0}")]
    Encode(String),
    /// Also what becomes of a module that was built without bindings: the encoder finds no world in it, and nothing to
    /// export.
    #[error("the result is no plugin (was the module built with bindings of `zelo:automation`?): {0}")]
    Result(#[from] Problem),
}

/// The component of `core_module` (built with bindings of the world `zelo:automation`) with `manifest_toml` inside.
///
/// The same bytes in give the same bytes out, so a digest can be reproduced.
///
/// # Errors
/// What a host would refuse is refused here already, where its author sees it.
pub fn pack(core_module: &[u8], manifest_toml: &str) -> Result<Vec<u8>, Error> {
    Manifest::parse(manifest_toml)?;
    let encode = |error: &dyn std::fmt::Display| Error::Encode(error.to_string());
    let mut component = ComponentEncoder::default()
        .validate(true)
        .module(core_module)
        .map_err(|error| encode(&format!("{error:#}")))?
        .encode()
        .map_err(|error| encode(&format!("{error:#}")))?;
    append_section(&mut component, MANIFEST_SECTION, manifest_toml.as_bytes());
    inspect::inspect(&component)?;
    Ok(component)
}

/// The manifest inside a component, as its author wrote it.
///
/// # Errors
/// The bytes are no component, or carry no readable manifest.
pub fn manifest_of(component: &[u8]) -> Result<Manifest, Problem> {
    Ok(Manifest::parse(inspect::manifest_text(component)?)?)
}

/// A custom section at the end: id 0, size, length of the name, name, content
/// ([core specification, 5.5.3](https://webassembly.github.io/spec/core/binary/modules.html#custom-section)).
fn append_section(component: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut section = Vec::with_capacity(name.len() + content.len() + 5);
    leb128(&mut section, name.len());
    section.extend_from_slice(name.as_bytes());
    section.extend_from_slice(content);
    component.push(0);
    leb128(component, section.len());
    component.extend_from_slice(&section);
}

fn leb128(to: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

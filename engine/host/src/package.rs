//! Makes plugins: what a compiler made and its `plugin.toml` become one component.

use std::borrow::Cow;

use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

use crate::contract;

use crate::inspect::{self, MANIFEST_SECTION};
use crate::manifest::{Manifest, ManifestError};
use crate::plugin::Problem;

/// Why there is no component. What is wrong stands in the message itself, and not once more as a source.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("plugin.toml: {0}")]
    Manifest(ManifestError),
    #[error("the module cannot be made a component (was it built with bindings of `zelo:automation`?): {0}")]
    Encode(String),
    #[error("it carries a manifest already: pack what the compiler made, not what was packed")]
    Packed,
    #[error("the result is no plugin: {0}")]
    Result(Problem),
}

impl From<ManifestError> for Error {
    fn from(error: ManifestError) -> Self {
        Self::Manifest(error)
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Result(problem)
    }
}

/// The component of `wasm` with `manifest_toml` inside.
///
/// `wasm` is a component, as the tools for JavaScript and Python make them, or a core module, as compilers do. A module
/// that does not say which world it is of is taken to be of `zelo:automation/automation`.
///
/// The same bytes in give the same bytes out, so a digest can be reproduced.
///
/// # Errors
/// What a host would refuse is refused here already, where its author sees it.
pub fn pack(wasm: &[u8], manifest_toml: &str) -> Result<Vec<u8>, Error> {
    Manifest::parse(manifest_toml)?;
    let mut component = if Parser::is_component(wasm) { wasm.to_vec() } else { componentize(wasm)? };
    if inspect::manifest_text(&component).is_ok() {
        return Err(Error::Packed);
    }
    append_section(&mut component, MANIFEST_SECTION, manifest_toml.as_bytes());
    inspect::inspect(&component)?;
    Ok(component)
}

fn componentize(module: &[u8]) -> Result<Vec<u8>, Error> {
    let mut module = Cow::Borrowed(module);
    if !names_its_world(&module) {
        contract::embed(module.to_mut()).map_err(Error::Encode)?;
    }
    let foreign = wasi_imports(&module);
    if !foreign.is_empty() {
        return Err(Problem::UnknownImports { names: foreign }.into());
    }
    let mut encoder = ComponentEncoder::default();
    encoder.validate(true).module(&module).and_then(ComponentEncoder::encode).map_err(|error| Error::Encode(format!("{error:#}")))
}

/// The functions of WASI that a module calls: what a C library makes of `printf`, say.
fn wasi_imports(module: &[u8]) -> Vec<String> {
    let sections = Parser::new(0).parse_all(module).filter_map(|payload| match payload {
        Ok(Payload::ImportSection(imports)) => Some(imports.into_imports().flatten()),
        _ => None,
    });
    sections
        .flatten()
        .filter(|import| import.module.starts_with("wasi"))
        .map(|import| format!("{} {}", import.module, import.name))
        .collect()
}

/// Whether bindings have left the world in it, which they do in a custom section.
fn names_its_world(module: &[u8]) -> bool {
    Parser::new(0)
        .parse_all(module)
        .any(|payload| matches!(payload, Ok(Payload::CustomSection(section)) if section.name().starts_with("component-type")))
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

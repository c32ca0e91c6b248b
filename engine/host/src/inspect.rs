//! Looks at a component's bytes before they are compiled: imports, exports, manifest, and what it must not have.

use wasmparser::{ComponentExternalKind, ComponentTypeRef, Encoding, Parser, Payload, TypeBounds};
use zelo_core::grants::Capability;

use crate::bindings::{self, Interface};
use crate::manifest::{Manifest, ManifestError};
use crate::plugin::Problem;

/// The name of the custom section that holds the manifest.
pub(crate) const MANIFEST_SECTION: &str = "zelo:manifest";

/// What was seen.
#[derive(Debug)]
pub(crate) struct Inspected {
    pub(crate) manifest: Manifest,
    /// The capabilities whose interfaces it imports, sorted.
    pub(crate) imports: Vec<Capability>,
}

/// What the bytes hold at their top level.
#[derive(Default)]
struct Seen<'a> {
    imports: Vec<Capability>,
    unknown: Vec<String>,
    runs: bool,
    composed: bool,
    memories: u32,
    /// Whether a memory is shared between threads.
    threads: bool,
    manifests: Vec<&'a [u8]>,
}

/// Checks that `bytes` are a plugin, as far as that shows without compiling them.
pub(crate) fn inspect(bytes: &[u8]) -> Result<Inspected, Problem> {
    if !bytes.starts_with(b"\0asm") {
        return Err(Problem::NotWasm);
    }
    if !Parser::is_component(bytes) {
        return Err(Problem::CoreModule);
    }
    let seen = walk(bytes).map_err(|error| Problem::Malformed(error.to_string()))?;
    if seen.composed {
        return Err(Problem::Composed);
    }
    if !seen.unknown.is_empty() {
        return Err(Problem::UnknownImports { names: seen.unknown });
    }
    if !seen.runs {
        return Err(Problem::NoRun);
    }
    if seen.threads {
        return Err(Problem::Threads);
    }
    if seen.memories > 1 {
        return Err(Problem::Memories { count: seen.memories });
    }
    let manifest = match seen.manifests[..] {
        [] => return Err(Problem::NoManifest),
        [section] => Manifest::parse(std::str::from_utf8(section).map_err(|_| ManifestError::NotText)?)?,
        _ => return Err(Problem::Manifests { count: seen.manifests.len() }),
    };
    let wanted = manifest.wanted();
    let unwanted: Vec<_> = seen.imports.iter().copied().filter(|import| !wanted.contains(import)).collect();
    if !unwanted.is_empty() {
        return Err(Problem::Unwanted { capabilities: unwanted });
    }
    Ok(Inspected { manifest, imports: seen.imports })
}

fn walk(bytes: &[u8]) -> Result<Seen<'_>, wasmparser::BinaryReaderError> {
    let mut seen = Seen::default();
    let mut within = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        let depth = within.len();
        seen.composed |= within.get(1) == Some(&Encoding::Component) && !is_of_a_shell(&payload);
        match payload {
            Payload::Version { encoding, .. } => within.push(encoding),
            Payload::End(_) => drop(within.pop()),
            Payload::MemorySection(memories) => {
                for memory in memories {
                    seen.memories = seen.memories.saturating_add(1);
                    seen.threads |= memory?.shared;
                }
            }
            Payload::CustomSection(section) if depth == 1 && section.name() == MANIFEST_SECTION => seen.manifests.push(section.data()),
            Payload::ComponentImportSection(imports) if depth == 1 => {
                for import in imports {
                    let import = import?;
                    seen.import(import.name.name, import.ty);
                }
            }
            Payload::ComponentExportSection(exports) if depth == 1 => {
                for export in exports {
                    let export = export?;
                    seen.runs |= export.name.name == "run" && export.kind == ComponentExternalKind::Func;
                }
            }
            _ => {}
        }
    }
    seen.imports.sort_unstable();
    seen.imports.dedup();
    Ok(seen)
}

/// Whether a component inside may have this.
///
/// Encoders export an interface by wrapping it in a component of names and types: componentize-py leaves such a one. It is
/// no program of its own as long as it cannot hold or make instances: then it has no code and no memory, and what it costs
/// does not multiply.
fn is_of_a_shell(payload: &Payload<'_>) -> bool {
    matches!(
        payload,
        Payload::Version { .. }
            | Payload::ComponentTypeSection(_)
            | Payload::ComponentImportSection(_)
            | Payload::ComponentAliasSection(_)
            | Payload::ComponentExportSection(_)
            | Payload::CustomSection(_)
            | Payload::End(_)
    )
}

impl Seen<'_> {
    fn import(&mut self, name: &str, ty: ComponentTypeRef) {
        match (bindings::interface(name), ty) {
            (Some(Interface::Of(capability)), ComponentTypeRef::Instance(_)) => self.imports.push(capability),
            (Some(Interface::Types), ComponentTypeRef::Instance(_)) => {}
            // A name for a type that is known already, as a world's `use` makes it.
            (None, ComponentTypeRef::Type(TypeBounds::Eq(_))) => {}
            _ => self.unknown.push(name.to_owned()),
        }
    }
}

/// The text of the manifest inside a component, unread.
pub(crate) fn manifest_text(bytes: &[u8]) -> Result<&str, Problem> {
    if !bytes.starts_with(b"\0asm") {
        return Err(Problem::NotWasm);
    }
    if !Parser::is_component(bytes) {
        return Err(Problem::CoreModule);
    }
    let seen = walk(bytes).map_err(|error| Problem::Malformed(error.to_string()))?;
    match seen.manifests[..] {
        [section] => Ok(std::str::from_utf8(section).map_err(|_| ManifestError::NotText)?),
        [] => Err(Problem::NoManifest),
        _ => Err(Problem::Manifests { count: seen.manifests.len() }),
    }
}

//! The contract with plugins as those who build plugins need it: its WIT files, and the worlds made of them.
//!
//! What the host makes of it stands in `bindings`.

use wit_component::StringEncoding;
use wit_parser::{Resolve, SourceMap, WorldId};

use crate::manifest::Manifest;

/// The folder of the files under `wit/`, which names package and version.
pub const FOLDER: &str = "zelo-automation-0.1.0";

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../../wit/zelo-automation-0.1.0/", $name)))),+]
    };
}

/// The files, by name.
pub const FILES: [(&str, &str); 9] =
    files!["documents.wit", "events.wit", "http.wit", "log.wit", "messages.wit", "records.wit", "state.wit", "types.wit", "world.wit"];

/// The name of the world that [`narrow`] writes.
pub const NARROW: &str = "plugin";

/// A package with the world `automation` as far as the manifest wants it, in WIT.
///
/// For tools that make a component import the whole world, called or not: what the manifest does not want would be
/// refused.
pub fn narrow(manifest: &Manifest) -> String {
    let imports = manifest.wanted().into_iter().map(|capability| format!("    import zelo:automation/{}@0.1.0;\n", capability.as_str()));
    format!(
        "package zelo:plugin;\n\nworld {NARROW} {{\n    use zelo:automation/types@0.1.0.{{invocation, outcome, failure}};\n{}    \
         export run: func(call: invocation) -> result<outcome, failure>;\n}}\n",
        imports.collect::<String>()
    )
}

/// Writes the world into a core module that was compiled without saying which it is of.
pub(crate) fn embed(module: &mut Vec<u8>) -> Result<(), String> {
    let (resolve, world) = automation()?;
    wit_component::embed_component_metadata(module, &resolve, world, StringEncoding::UTF8, false).map_err(|error| format!("{error:#}"))
}

fn automation() -> Result<(Resolve, WorldId), String> {
    let mut sources = SourceMap::default();
    FILES.iter().for_each(|(name, text)| sources.push_str(name, *text));
    let group = sources.parse().map_err(|(_, error)| error.to_string())?;
    let mut resolve = Resolve::default();
    let package = resolve.push_group(group).map_err(|error| error.to_string())?;
    let world = resolve.select_world(&[package], Some("automation")).map_err(|error| format!("{error:#}"))?;
    Ok((resolve, world))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_file_of_the_contract_is_here() {
        let folder = format!("{}/../../wit/{FOLDER}", env!("CARGO_MANIFEST_DIR"));
        let mut there: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        there.sort();
        assert_eq!(FILES.map(|(name, _)| name).to_vec(), there);
        automation().unwrap();
    }

    #[test]
    fn the_narrow_world_is_what_the_manifest_wants() {
        let manifest = Manifest::parse(
            "name = \"p\"\nversion = \"1.0.0\"\ntitle = { en = \"P\" }\ninputs = { type = \"object\" }\n\
             wants = [{ capability = \"state\", reason = { en = \"for tests\" } }]",
        );
        let (mut resolve, whole) = automation().unwrap();
        let package = resolve.push_source("narrow.wit", &narrow(&manifest.unwrap())).unwrap();
        let narrow = resolve.select_world(&[package], Some(NARROW)).unwrap();
        let (narrow, whole) = (&resolve.worlds[narrow], &resolve.worlds[whole]);
        let names = |keys: Vec<&wit_parser::WorldKey>| keys.into_iter().map(|key| resolve.name_world_key(key)).collect::<Vec<_>>();
        let imports = names(narrow.imports.keys().collect());
        for wanted in ["zelo:automation/log@0.1.0", "zelo:automation/state@0.1.0", "zelo:automation/types@0.1.0", "invocation"] {
            assert!(imports.iter().any(|import| import == wanted), "{wanted} in {imports:?}");
        }
        assert!(!imports.iter().any(|import| import.contains("messages") || import.contains("http")), "{imports:?}");
        assert_eq!(names(narrow.exports.keys().collect()), names(whole.exports.keys().collect()));
    }
}

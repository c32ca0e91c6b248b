//! The host's side of `wit/zelo-automation-0.1.0`, generated, and what of it is linked for whom.

use semver::{Version, VersionReq};
use wasmtime::component::{HasSelf, Linker};
use zelo_core::grants::Capability;

use crate::run::State;

wasmtime::component::bindgen!({
    path: "../../wit/zelo-automation-0.1.0",
    world: "automation",
    imports: { default: async | trappable },
    exports: { default: async },
});

pub(crate) use self::zelo::automation::{documents, events, http, log, messages, records, state, types};

/// The package that plugins import from.
const PACKAGE: &str = "zelo:automation";

/// What an imported interface is to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interface {
    /// Only types: nothing can be done with it.
    Types,
    Of(Capability),
}

/// What the import called `name` is, if this host knows it: `zelo:automation/log@0.1.0`, or a later `0.1`.
pub(crate) fn interface(name: &str) -> Option<Interface> {
    let (word, version) = name.strip_prefix(PACKAGE)?.strip_prefix('/')?.split_once('@')?;
    if !VersionReq::parse("^0.1.0").ok()?.matches(&Version::parse(version).ok()?) {
        return None;
    }
    match word {
        "types" => Some(Interface::Types),
        word => Capability::parse(word).map(Interface::Of),
    }
}

/// A linker with `capabilities` and nothing else in it.
pub(crate) fn linker(engine: &wasmtime::Engine, capabilities: &[Capability]) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    types::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    for capability in capabilities {
        match capability {
            Capability::Log => log::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?,
            Capability::Http => http::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?,
            Capability::Messages => messages::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?,
            Capability::Documents => documents::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?,
            Capability::Records => records::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?,
            Capability::State => state::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?,
            Capability::Events => events::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?,
        }
    }
    Ok(linker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_own_interfaces_and_no_others() {
        assert_eq!(interface("zelo:automation/log@0.1.0"), Some(Interface::Of(Capability::Log)));
        assert_eq!(interface("zelo:automation/types@0.1.4"), Some(Interface::Types));
        for capability in Capability::ALL {
            assert_eq!(interface(&format!("zelo:automation/{}@0.1.0", capability.as_str())), Some(Interface::Of(capability)));
        }
        for stranger in
            ["zelo:automation/log@0.2.0", "zelo:automation/log", "zelo:automation/teleport@0.1.0", "wasi:cli/environment@0.2.0", "log"]
        {
            assert_eq!(interface(stranger), None, "{stranger}");
        }
    }
}

//! What is refused before it runs, and how that reads.

#![allow(clippy::unwrap_used, reason = "in tests")]

mod support;

use support::{DOCUMENTS, EVENTS, LOG, MANIFEST, MESSAGES, NEXT, RECORDS, STATE, guest, host, load, module, with_world};
use zelo_core::grants::Capability;
use zelo_host::{Host, HostConfig, package};

/// A component written by hand, with the manifest inside.
fn component(text: &str) -> Vec<u8> {
    let mut bytes = wat::parse_str(text).unwrap();
    let (name, manifest) = ("zelo:manifest", MANIFEST.trim());
    assert!(name.len() + manifest.len() < 0x3fff);
    let size = name.len() + 1 + manifest.len();
    bytes.extend([0, size as u8 | 0x80, (size >> 7) as u8, name.len() as u8]);
    bytes.extend_from_slice(name.as_bytes());
    bytes.extend_from_slice(manifest.as_bytes());
    bytes
}

fn refusal(bytes: &[u8]) -> String {
    host().load("visitor", bytes).expect_err("it is refused").to_string()
}

#[test]
fn a_plugin_says_what_it_is_and_uses() {
    let bytes = guest(&format!("{MESSAGES}{LOG}"), "(global.get $done)");
    let host = host();
    let plugin = load(&host, &bytes);
    assert_eq!((plugin.manifest().name.as_str(), plugin.size()), ("guest", bytes.len()));
    assert_eq!(plugin.imports(), [Capability::Log, Capability::Messages], "and not `state`, which it wants but does not use");
    assert_eq!(plugin.digest().len(), 64);
    assert_eq!(plugin.digest(), load(&host, &bytes).digest());
    assert_eq!(package::manifest_of(&bytes).unwrap(), *plugin.manifest());
}

#[test]
fn what_was_not_granted_is_named() {
    let host = host();
    let plugin = load(&host, &guest(&format!("{MESSAGES}{STATE}{LOG}"), "(global.get $done)"));
    let refused = host.prepare(&plugin, &[Capability::State]).unwrap_err();
    assert_eq!(refused.missing, [Capability::Messages]);
    assert_eq!(refused.to_string(), "the plugin `guest` uses `messages`, which the rule does not grant");
    assert_eq!(host.prepare(&plugin, &[]).unwrap_err().missing, [Capability::Messages, Capability::State]);
    assert!(host.prepare(&plugin, &[Capability::State, Capability::Messages]).is_ok(), "`log` needs no grant");
}

#[test]
fn each_capability_is_refused_by_its_name() {
    let host = host();
    for (imports, capability) in [
        (MESSAGES, Capability::Messages),
        (DOCUMENTS, Capability::Documents),
        (RECORDS, Capability::Records),
        (STATE, Capability::State),
        (NEXT, Capability::State),
        (EVENTS, Capability::Events),
    ] {
        let core = module(imports, "(global.get $done)");
        let plugin = load(&host, &package::pack(&with_world(core.clone()), MANIFEST).unwrap());
        assert_eq!(plugin.imports(), [capability]);
        let others: Vec<_> = Capability::ALL.into_iter().filter(|other| *other != capability).collect();
        let refused = host.prepare(&plugin, &others).unwrap_err().to_string();
        assert_eq!(refused, format!("the plugin `guest` uses `{}`, which the rule does not grant", capability.as_str()));
        assert!(host.prepare(&plugin, &[capability]).is_ok());

        let line = format!("{{ capability = \"{}\", reason = {{ en = \"for tests\" }} }},", capability.as_str());
        assert!(MANIFEST.contains(&line));
        let refused = package::pack(&with_world(core), &MANIFEST.replace(&line, "")).unwrap_err().to_string();
        assert!(refused.contains(&format!("imports `{}`, which its manifest does not want", capability.as_str())), "{refused}");
    }
}

#[test]
fn wasi_is_refused_by_name() {
    let text = r#"(component
        (import "wasi:cli/environment@0.2.0" (instance (export "get-arguments" (func (result (list string))))))
        (import "wasi:filesystem/types@0.2.0" (instance)))"#;
    let refusal = refusal(&component(text));
    assert!(refusal.contains("`wasi:cli/environment@0.2.0`, `wasi:filesystem/types@0.2.0`"), "{refusal}");
    assert!(refusal.contains("plugins get no WASI") && refusal.contains("`visitor`"), "{refusal}");
}

#[test]
fn an_unknown_capability_is_refused_by_name() {
    let refusal = refusal(&component(r#"(component (import "zelo:automation/teleport@0.1.0" (instance)))"#));
    assert!(refusal.contains("`zelo:automation/teleport@0.1.0`") && !refusal.contains("WASI"), "{refusal}");
}

#[test]
fn what_is_no_plugin_is_refused() {
    assert!(refusal(b"#!/bin/sh").contains("not WebAssembly"));
    assert!(refusal(&module("", "(global.get $done)")).contains("core module"));
    assert!(refusal(&component("(component)")).contains("does not export the function `run`"));
    for inside in ["(core module)", "(component)", "(instance)", "(core type (func))", "(core func (canon resource.new 0))"] {
        let refusal = refusal(&component(&format!("(component (component (type (resource (rep i32))) {inside}))")));
        assert!(refusal.contains("components inside"), "{inside}: {refusal}");
    }
    let shell = "(component (component (import \"f\" (func $f)) (type string) (export \"g\" (func $f))))";
    assert!(refusal(&component(shell)).contains("does not export the function `run`"), "names and types alone are no component of its own");
    let (host, whole) = (host(), guest("", "(global.get $done)"));
    let refusals = (8..whole.len()).map(|length| host.load("visitor", &whole[..length]).expect_err("a part is none").to_string());
    let malformed = refusals.filter(|refusal| refusal.contains("not a well-formed component")).count();
    assert!(malformed > whole.len() / 2, "all but the places between two sections: {malformed}");
}

#[test]
fn two_memories_are_one_too_many() {
    let text = "(component (core module (memory 1)) (core module (memory 1)) (core module $m (func (export \"f\")))
        (core instance $i (instantiate $m)) (func (export \"run\") (canon lift (core func $i \"f\"))))";
    assert!(refusal(&component(text)).contains("2 linear memories"));
}

#[test]
fn threads_are_refused() {
    let text = "(component (core module (memory 1 2 shared)) (core module $m (func (export \"f\")))
        (core instance $i (instantiate $m)) (func (export \"run\") (canon lift (core func $i \"f\"))))";
    assert!(refusal(&component(text)).contains("a memory that threads share"));
}

#[test]
fn what_takes_too_long_to_compile_is_refused_and_the_host_serves_on() {
    let host = Host::new(HostConfig { compile_max: std::time::Duration::ZERO, ..HostConfig::default() }).unwrap();
    let refusal = host.load("visitor", &guest("", "(global.get $done)")).expect_err("it is refused").to_string();
    assert!(refusal.contains("`visitor`") && refusal.contains("not compiled after 0 s"), "{refusal}");
    assert_eq!(host.capacity().running, 0);
}

#[test]
fn another_run_is_not_the_contracts() {
    let text = "(component (core module $m (func (export \"f\")))
        (core instance $i (instantiate $m)) (func (export \"run\") (canon lift (core func $i \"f\"))))";
    let refusal = refusal(&component(text));
    assert!(refusal.contains("differ from those of `zelo:automation@0.1.0`"), "{refusal}");
}

#[test]
fn a_function_of_the_contract_with_another_type_is_refused() {
    let text = r#"(component
        (import "zelo:automation/log@0.1.0" (instance (export "write" (func (param "text" string)))))
        (core module $m (func (export "f")))
        (core instance $i (instantiate $m)) (func (export "run") (canon lift (core func $i "f"))))"#;
    let refusal = refusal(&component(text));
    assert!(refusal.contains("differ from those") && refusal.contains("log"), "{refusal}");
}

#[test]
fn a_manifest_is_there_and_wants_what_is_imported() {
    let core = with_world(module(MESSAGES, "(global.get $done)"));
    let bare = wit_component::ComponentEncoder::default().module(&core).unwrap().encode().unwrap();
    assert!(refusal(&bare).contains("carries no manifest"));

    let modest = "name = \"guest\"\nversion = \"1.0.0\"\ntitle = { en = \"A guest\" }\ninputs = { type = \"object\" }";
    let refused = package::pack(&core, modest).unwrap_err().to_string();
    assert!(refused.contains("imports `messages`, which its manifest does not want"), "{refused}");
    assert!(package::pack(&core, "name = 1").unwrap_err().to_string().contains("plugin.toml"));
}

#[test]
fn a_plugin_is_made_of_a_module_or_a_component() {
    let module = module(MESSAGES, "(global.get $done)");
    let component = wit_component::ComponentEncoder::default().module(&with_world(module.clone())).unwrap().encode().unwrap();
    let of_component = package::pack(&component, MANIFEST).unwrap();
    assert_eq!(of_component, package::pack(&with_world(module.clone()), MANIFEST).unwrap());
    assert_eq!(load(&host(), &of_component).imports(), [Capability::Messages]);
    let without_bindings = package::pack(&module, MANIFEST).unwrap();
    assert_eq!(load(&host(), &without_bindings).imports(), [Capability::Messages], "and none of the world that it does not call");

    let again = package::pack(&of_component, MANIFEST).unwrap_err().to_string();
    assert!(again.contains("carries a manifest already"), "{again}");
    let printing = r#"(module (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32))))"#;
    let refused = package::pack(&wat::parse_str(printing).unwrap(), MANIFEST).unwrap_err().to_string();
    assert!(refused.contains("imports `wasi_snapshot_preview1 fd_write`") && refused.contains("plugins get no WASI"), "{refused}");
    let stranger = wat::parse_str("(module (func (export \"walk\")))").unwrap();
    let refused = package::pack(&stranger, MANIFEST).unwrap_err().to_string();
    assert!(refused.contains("bindings of `zelo:automation`") && refused.contains("run"), "{refused}");
}

#[test]
fn more_memory_than_there_is_does_not_load() {
    let text = "(component (core module $m (memory 2000) (func (export \"f\")))
        (core instance $i (instantiate $m)) (func (export \"run\") (canon lift (core func $i \"f\"))))";
    let refusal = refusal(&component(text));
    assert!(refusal.contains("does not compile") && refusal.contains("memory"), "{refusal}");
}

#[test]
fn a_component_may_be_too_large() {
    let host = Host::new(HostConfig { component_max: 100, ..HostConfig::default() }).unwrap();
    assert!(host.load("visitor", &[0; 101]).unwrap_err().to_string().contains("101 bytes, 100 are allowed"));
}

#[test]
fn packing_gives_the_same_bytes_each_time() {
    assert_eq!(guest(LOG, "(global.get $done)"), guest(LOG, "(global.get $done)"));
}

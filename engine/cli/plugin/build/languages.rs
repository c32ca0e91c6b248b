//! From source to WebAssembly, language by language: each gives the file that its tools have made, or none where they have found
//! mistakes, which they tell themselves.
//!
//! All of them are told to do without WASI, which a host would refuse.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use zelo_host::contract;

use super::Project;
use super::tool::{Tool, find, say, venv};
use crate::cli::plugin::language::sources;

/// Finds a cargo that can build for WebAssembly, and installs one where it may.
const WASM_CARGO: &str = include_str!("../../../../plugins/wasm-cargo");

/// How the script ends where there is none, and none to be had.
const NO_COMPILER: i32 = 69;

/// The core module of a Rust crate.
pub(super) fn rust(project: &Project) -> Result<Option<PathBuf>> {
    let path = project.folder.join("Cargo.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let cargo: toml::Table = toml::from_str(&text).with_context(|| path.display().to_string())?;
    let name = |table: &str| cargo.get(table)?.get("name")?.as_str().map(|name| name.replace('-', "_"));
    let Some(name) = name("lib").or_else(|| name("package")) else { bail!("{} has no [package] with a name", path.display()) };
    let status = Tool::new("sh", &project.folder, "plugins in Rust are built with a shell script")
        .args(["-c", WASM_CARGO, "wasm-cargo", "build", "--release", "--target-dir", "target"])
        .run()?;
    match status.code() {
        Some(0) => {}
        Some(NO_COMPILER) => bail!("there is no Rust compiler for WebAssembly; what to do stands above"),
        _ => return Ok(None),
    }
    let module = project.folder.join(format!("target/wasm32-unknown-unknown/release/{name}.wasm"));
    if !module.exists() {
        bail!("{} was not made: {} needs [lib] with crate-type = [\"cdylib\"]", module.display(), path.display());
    }
    Ok(Some(module))
}

/// The component that componentize-js makes of the module that `package.json` names as `main`.
pub(super) fn js(project: &Project) -> Result<Option<PathBuf>> {
    const NODE: &str = "install Node.js 20 or later (nodejs.org; on Debian: apt-get install nodejs npm)";
    let folder = &project.folder;
    let path = folder.join("package.json");
    let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let package: serde_json::Value = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
    let main = package["main"].as_str().unwrap_or("index.js");
    let modules = folder.join("node_modules");
    // npm copies nothing that tells what it installed for; the file it was told to is kept beside.
    let installed = modules.join(".package.json");
    if !fs::read_to_string(&installed).is_ok_and(|installed| installed == text) {
        say(&format!("installing what {} names into {}", path.display(), modules.display()));
        let how: &[&str] = if folder.join("package-lock.json").exists() { &["ci"] } else { &["install", "--no-package-lock"] };
        Tool::new("npm", folder, NODE)
            .args(how)
            .args(["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
            .succeed("installing what package.json names")?;
        fs::write(&installed, text).with_context(|| format!("{} cannot be written", installed.display()))?;
    }
    let componentize = modules.join("@bytecodealliance/componentize-js/src/cli.js");
    if !componentize.exists() {
        bail!("{} does not name @bytecodealliance/componentize-js, which makes components of JavaScript", path.display());
    }
    // It says where the mistake is; componentize-js only that there is one.
    if !Tool::new("node", folder, NODE).arg("--check").arg(main).run()?.success() {
        return Ok(None);
    }
    say(&format!("making a component of {main}"));
    let component = project.aside()?.join("component.wasm");
    let tool = Tool::new("node", folder, NODE)
        .arg(componentize)
        .arg(main)
        .arg("--wit")
        .arg(project.narrow_contract()?)
        .args(["--world-name", contract::NARROW, "--disable", "random", "stdio", "clocks", "http", "fetch-event", "--out"])
        .arg(&component);
    made_by(tool, project, component)
}

/// The component that componentize-py makes of `plugin.py`.
pub(super) fn python(project: &Project) -> Result<Option<PathBuf>> {
    let programs = venv(&project.folder)?;
    say("making a component of plugin.py");
    let component = project.aside()?.join("component.wasm");
    let tool = Tool::new(programs.join("componentize-py"), &project.folder, "requirements.txt has to name componentize-py")
        .arg("--wit-path")
        .arg(project.narrow_contract()?)
        .args(["--world", contract::NARROW, "--quiet", "componentize", "--stub-wasi", "plugin", "--output"])
        .arg(&component);
    made_by(tool, project, component)
}

/// The component that `tool` makes, unless it fails. What it may have failed for it cannot say itself: it does not know of the manifest.
fn made_by(tool: Tool, project: &Project, component: PathBuf) -> Result<Option<PathBuf>> {
    let made = tool.run()?.success();
    if !made {
        let wanted: Vec<&str> = project.manifest.wanted().iter().map(|capability| capability.as_str()).collect();
        say(&format!("what can be imported is what plugin.toml wants: {}", wanted.join(", ")));
    }
    Ok(made.then_some(component))
}

/// WASI's C library, of which nothing is linked that asks for WASI as long as nothing is called that does. A stack of 64 KiB
/// instead of 16 MiB: stack, data and heap then fit the first pages, which the host keeps ready between runs.
const C_FLAGS: [&str; 10] =
    ["cc", "-target", "wasm32-wasi", "-mexec-model=reactor", "-std=c17", "-Wall", "-Wextra", "-Os", "-s", "-Wl,-z,stack-size=65536"];

/// The core module that zig's C compiler makes of every `.c` file of the folder.
pub(super) fn c(project: &Project) -> Result<Option<PathBuf>> {
    const ZIG: &str = "install zig (ziglang.org), or name ziglang in requirements.txt";
    let folder = &project.folder;
    let zig = match find("zig") {
        Some(zig) => Tool::new(zig, folder, ZIG),
        None => Tool::new(venv(folder)?.join("python"), folder, ZIG).args(["-m", "ziglang"]),
    };
    let module = project.aside()?.join("module.wasm");
    let files: Vec<PathBuf> = sources(folder)?.into_iter().filter(|file| file.extension() == Some(OsStr::new("c"))).collect();
    let made = zig.args(C_FLAGS).arg("-I").arg(folder).args(files).arg("-o").arg(&module).run()?.success();
    Ok(made.then_some(module))
}

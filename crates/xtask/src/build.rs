//! Builds everything that is run, into `target/dist`.

use std::{
    env, fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use flate2::{Compression, write::GzEncoder};

use crate::{Paths, paths::shown, setup, step};

/// The filter's `.wasm` may have so many bytes.
const FILTER_LIMIT: u64 = 2_000_000;
/// The edge worker's modules may have so many bytes together, each gzipped: plans with 3 MB a script keep room for the
/// host's own code.
const EDGE_LIMIT: u64 = 1_000_000;

/// The name of the edge worker's wasm and of its JavaScript.
pub(crate) const EDGE_MODULE: &str = "modelgate_edge";

/// The native programs.
const PROGRAMS: [&str; 4] = ["alert-relay", "modelgate", "stand-in", "load"];

/// Builds all, one cargo call after the other: they share a target folder.
///
/// # Errors
/// When a build fails or is interrupted.
pub fn all(paths: &Paths) -> Result<()> {
    filters(paths)?;
    edge_worker(paths)?;
    native(paths)
}

/// cargo, of the toolchain that runs us, with its progress shown.
pub(crate) fn cargo(paths: &Paths) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(&paths.root);
    // `cargo run` describes xtask to us in the environment. Some build scripts (ring's) look at these variables, and
    // would run again whenever somebody calls cargo by hand in between.
    let ours = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(ours) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// The Envoy filter and the empty one.
///
/// # Errors
/// When the build fails.
pub fn filters(paths: &Paths) -> Result<()> {
    let mut build = cargo(paths);
    build.args(["build", "--locked", "--profile", "wasm", "--target", "wasm32-wasip1"]);
    build.args(["-p", "modelgate-envoy", "-p", "empty-filter"]);
    step::shown("building the Envoy filter", &mut build)?;
    let built = paths.target.join("wasm32-wasip1/wasm");
    let debug = paths.filter().with_extension("debug.wasm");
    optimise(paths, FAST, &built.join("modelgate.wasm"), &paths.filter(), &debug)?;
    place(&built.join("empty_filter.wasm"), &paths.empty_filter())
}

/// The filter for hosts that lack some of Envoy's calls.
///
/// # Errors
/// When the build fails.
pub fn portable_filter(paths: &Paths) -> Result<()> {
    let mut build = cargo(paths);
    build.args(["build", "--locked", "--profile", "wasm", "--target", "wasm32-wasip1"]);
    build.args(["-p", "modelgate-envoy", "--features", "portable"]);
    step::shown("building the portable Envoy filter", &mut build)?;
    let (built, filter) = (paths.target.join("wasm32-wasip1/wasm/modelgate.wasm"), paths.portable_filter());
    optimise(paths, FAST, &built, &filter, &filter.with_extension("debug.wasm"))
}

/// The variants of the filter that only tests load, one for each feature.
const TEST_FEATURES: [&str; 2] = ["crash-test", "portable"];

/// Builds the variants of the filter that only tests load.
///
/// # Errors
/// When a build fails.
pub fn test_filters(paths: &Paths) -> Result<()> {
    for feature in TEST_FEATURES {
        let mut build = cargo(paths);
        build.args(["build", "--locked", "--profile", "wasm-test", "--target", "wasm32-wasip1"]);
        build.args(["-p", "modelgate-envoy", "--features", feature]);
        step::shown(&format!("building the Envoy filter with {feature}"), &mut build)?;
        place(&paths.target.join("wasm32-wasip1/wasm-test/modelgate.wasm"), &paths.test_filter(feature))?;
    }
    Ok(())
}

/// Builds the edge worker's wasm that traps when it is asked to, which only tests load.
///
/// # Errors
/// When the build fails.
pub fn test_edge(paths: &Paths) -> Result<()> {
    let mut build = cargo(paths);
    build.args(["build", "--locked", "--profile", "wasm-test", "--target", "wasm32-unknown-unknown"]);
    build.args(["-p", "modelgate-edge-worker", "--features", "trap"]);
    step::shown("building the edge worker that traps", &mut build)?;
    let built = paths.target.join("wasm32-unknown-unknown/wasm-test");
    let bound = bind(paths, &built)?;
    for name in [format!("{EDGE_MODULE}.js"), format!("{EDGE_MODULE}_bg.wasm")] {
        place(&bound.join(&name), &paths.test_edge().join(&name))?;
    }
    Ok(())
}

/// Makes the JavaScript for the edge worker's wasm in this folder; returns the folder of both.
fn bind(paths: &Paths, built: &Path) -> Result<PathBuf> {
    let bound = built.join("bound");
    fs::create_dir_all(&bound)?;
    let mut bind = cargo(paths);
    bind.args(["run", "--locked", "--quiet", "-p", "edge-bindgen", "--"]);
    bind.arg(built.join(EDGE_MODULE).with_extension("wasm")).arg(&bound);
    step::shown("binding it to JavaScript", &mut bind)?;
    Ok(bound)
}

/// What the compiler may have used, so that Binaryen neither refuses nor adds anything: what Rust enables for wasm by
/// default, and the vector instructions of memchr.
const WASM_FEATURES: [&str; 7] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--enable-simd",
];

/// How Binaryen makes a module fast: V8 inlines nothing, so it does. That takes a tenth off what a small request costs, and
/// the module is as large as one made small.
const FAST: &[&str] = &["-O3"];

/// How Binaryen makes a module small once it is compressed, which it is not where functions were put together. A second
/// round and the functions that are called most often first take three kilobytes more.
const SMALL: &[&str] = &[
    "-Oz",
    "--skip-pass=inlining",
    "--skip-pass=inlining-optimizing",
    "-Oz",
    "--reorder-functions",
    "--reorder-locals",
];

/// Binaryen's optimiser over a module, which takes a fifth off it. The functions' names, which need another tenth, stay
/// in a second file: a backtrace shows numbers, and `NAME.debug.wasm` says whose they are.
fn optimise(paths: &Paths, how: &[&str], from: &Path, to: &Path, debug: &Path) -> Result<()> {
    // It takes half a minute, so it is done once for each module that comes out of the compiler, and each way of doing it.
    let name = to.file_stem().unwrap_or_default().to_string_lossy();
    let done = from.with_file_name(format!("{name}{}.wasm", how.concat().replace('=', "-")));
    if to.exists() && debug.exists() && fs::read(from)? == fs::read(&done).unwrap_or_default() {
        return Ok(());
    }
    setup::node(paths)?;
    let optimiser = paths.node().join("node_modules/binaryen/bin/wasm-opt");
    let run = |title: &str, from: &Path, to: &Path, options: &[&str]| {
        let mut command = Command::new("node");
        command.arg(&optimiser).args(WASM_FEATURES).args(options).arg(from).arg("-o").arg(to);
        step::shown(title, &mut command)
    };
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    let fresh = to.with_extension("new");
    let options = [how, &["--debuginfo"]].concat();
    run(&format!("optimising {}", shown(paths, to)), from, debug, &options)?;
    run("taking its names out", debug, &fresh, &["--strip-debug"])?;
    fs::rename(&fresh, to)?;
    place(from, &done)
}

/// The edge worker: its wasm, the JavaScript that wasm-bindgen makes for it, and the modules that are written by hand.
///
/// # Errors
/// When a build fails.
pub fn edge_worker(paths: &Paths) -> Result<()> {
    let mut build = cargo(paths);
    build.args(["build", "--locked", "--profile", "wasm-edge", "--target", "wasm32-unknown-unknown"]);
    build.args(["-p", "modelgate-edge-worker"]);
    step::shown("building the edge worker", &mut build)?;
    let folder = paths.edge_worker();
    fs::create_dir_all(&folder)?;
    let bound = bind(paths, &paths.target.join("wasm32-unknown-unknown/wasm-edge"))?;
    let (script, wasm) = (format!("{EDGE_MODULE}.js"), format!("{EDGE_MODULE}_bg.wasm"));
    place_module(&bound.join(&script), &folder.join(&script))?;
    // Its names do not lie in the folder, which is what is uploaded.
    optimise(
        paths,
        SMALL,
        &bound.join(&wasm),
        &folder.join(&wasm),
        &paths.dist.join(format!("{EDGE_MODULE}.debug.wasm")),
    )?;
    let sources = paths.root.join("edge-worker");
    let mut modules = 0;
    for entry in fs::read_dir(&sources)? {
        let path = entry?.path();
        let kind = path.extension().unwrap_or_default();
        let placed = folder.join(path.file_name().unwrap_or_default());
        if kind == "mjs" {
            place_module(&path, &placed)?;
            modules += 1;
        } else if kind == "capnp" || path.to_string_lossy().ends_with(".d.ts") {
            place(&path, &placed)?;
        }
    }
    if modules == 0 {
        bail!("{} has no modules", sources.display());
    }
    Ok(())
}

/// alert-relay, the command line tool and the stand-in model.
///
/// # Errors
/// When the build fails.
pub fn native(paths: &Paths) -> Result<()> {
    let mut build = cargo(paths);
    build.args(["build", "--locked", "--release", "--bins"]);
    build.args(["-p", "alert-relay", "-p", "modelgate-cli", "-p", "stand-in"]);
    step::shown("building alert-relay, modelgate and the stand-in model", &mut build)?;
    let built = paths.target.join("release");
    for program in PROGRAMS {
        place(&built.join(program), &paths.dist.join(program))?;
    }
    Ok(())
}

/// Shows what the built parts weigh.
///
/// # Errors
/// When the filter or the edge worker weighs too much.
pub fn sizes(paths: &Paths) -> Result<()> {
    let line = |name: &str, bytes: u64, gzipped: Option<u64>| {
        let gzipped = gzipped.map(|bytes| format!("{:>9} KiB gzipped", kib(bytes))).unwrap_or_default();
        step::print(&format!("{name:<50} {:>9} KiB {gzipped}", kib(bytes)));
    };
    let weigh = |path: &Path, zip: bool| -> Result<(u64, u64)> {
        let content = fs::read(path).with_context(|| format!("{}: not built", path.display()))?;
        let small = if zip { Some(gzipped(&content)?) } else { None };
        line(&shown(paths, path).to_string(), content.len() as u64, small);
        Ok((content.len() as u64, small.unwrap_or_default()))
    };
    let (filter, _) = weigh(&paths.filter(), true)?;
    let (mut bundle, mut bundle_gzipped) = (0, 0);
    for module in edge_modules(paths)? {
        let (bytes, small) = weigh(&module, true)?;
        bundle += bytes;
        bundle_gzipped += small;
    }
    line("the edge worker together", bundle, Some(bundle_gzipped));
    for program in PROGRAMS {
        weigh(&paths.dist.join(program), false)?;
    }
    if filter > FILTER_LIMIT {
        bail!("the filter has {filter} bytes, more than {FILTER_LIMIT}");
    }
    if bundle_gzipped > EDGE_LIMIT {
        bail!("the edge worker has {bundle_gzipped} bytes gzipped, more than {EDGE_LIMIT}");
    }
    Ok(())
}

/// What is not uploaded to Cloudflare: the pass-through, and the adapters of other hosts.
const NOT_UPLOADED: [&str; 4] = ["passthrough.mjs", "node.mjs", "deno.mjs", "vercel.mjs"];

/// What is uploaded to an edge host: modules, not the local workerd's configuration or types.
fn edge_modules(paths: &Paths) -> Result<Vec<PathBuf>> {
    let mut modules = Vec::new();
    for entry in fs::read_dir(paths.edge_worker())? {
        let path = entry?.path();
        let kind = path.extension().unwrap_or_default();
        let is_module = kind == "mjs" || kind == "js" || kind == "wasm";
        let is_left_out = NOT_UPLOADED.iter().any(|name| path.ends_with(name));
        if is_module && !is_left_out {
            modules.push(path);
        }
    }
    modules.sort();
    Ok(modules)
}

fn gzipped(content: &[u8]) -> Result<u64> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content)?;
    Ok(encoder.finish()?.len() as u64)
}

fn kib(bytes: u64) -> String {
    format!("{}.{}", bytes / 1024, bytes % 1024 * 10 / 1024)
}

/// Places a module of JavaScript without its comments, which are a quarter of what goes up. Its lines keep their numbers.
fn place_module(from: &Path, to: &Path) -> Result<()> {
    let text = fs::read_to_string(from).with_context(|| format!("{}: not built", from.display()))?;
    let bare = without_comments(&text);
    if fs::read_to_string(to).is_ok_and(|old| old == bare) {
        return Ok(());
    }
    let part = to.with_extension("part");
    fs::write(&part, bare)?;
    fs::rename(&part, to).with_context(|| format!("placing {}", to.display()))
}

/// Empties the lines that are comments alone.
fn without_comments(text: &str) -> String {
    let mut inside = false;
    let mut bare = String::with_capacity(text.len());
    for line in text.lines() {
        let start = line.trim_start();
        let begins = !inside && start.starts_with("/**");
        if !inside && !begins && !start.starts_with("//") {
            bare.push_str(line);
        }
        inside = (inside || begins) && !line.contains("*/");
        bare.push('\n');
    }
    bare
}

/// Copies a file if it differs, by renaming, so that a program that runs from it is not disturbed.
fn place(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from).with_context(|| format!("{}: not built", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    let part = to.with_extension("part");
    fs::copy(from, &part)?;
    fs::rename(&part, to).with_context(|| format!("placing {}", to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_and_code_keeps_its_line() {
        let text = "// one\na(); // stays\n/** two */\n  /**\n   * three\n   */\nb(\"/** no */\");\n";
        assert_eq!(without_comments(text), "\na(); // stays\n\n\n\n\nb(\"/** no */\");\n");
    }
}

//! `edge-bindgen IN.wasm FOLDER`: makes the JavaScript module that goes with the edge worker's wasm.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [input, folder] = arguments.as_slice() else { bail!("usage: edge-bindgen IN.wasm FOLDER") };
    let stem = input.file_stem().context("the input has no name")?;
    let [module, wasm] =
        [".js", "_bg.wasm"].map(|end| folder.join(format!("{}{end}", stem.to_string_lossy())));
    if is_newer(&module, input) && is_newer(&wasm, input) {
        return Ok(());
    }
    let mut bindgen = Bindgen::new();
    bindgen.input_path(input).typescript(false).omit_default_module_path(true);
    // A trap poisons the instance, and `initSync` a second time does nothing: `__wbg_reset_state` makes a new one.
    bindgen.web(true)?.reset_state_function(true);
    bindgen.generate(folder).with_context(|| format!("binding {}", input.display()))
}

/// Whether `output` was made from the `input` that is there, by this program.
fn is_newer(output: &Path, input: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    let program = std::env::current_exe().ok();
    match (modified(output), modified(input), program.as_deref().and_then(modified)) {
        (Some(output), Some(input), Some(program)) => output > input && output > program,
        _ => false,
    }
}

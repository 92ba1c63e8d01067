//! workerd with the edge workers, for one stack: the built modules and the configuration with other ports.

use std::{
    env::consts::{ARCH, OS},
    fs,
    path::PathBuf,
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::{Options, Ports};
use crate::Paths;

/// The configuration's name, in the repository and among the built modules.
pub(crate) const CONFIG: &str = "workerd.capnp";

/// The binary itself; the `workerd` command would put a Node process between us and it.
///
/// # Errors
/// When there is none for this machine or it is not installed.
pub(crate) fn binary(paths: &Paths) -> Result<PathBuf> {
    let package = match (OS, ARCH) {
        ("linux", "x86_64") => "workerd-linux-64",
        ("linux", "aarch64") => "workerd-linux-arm64",
        ("macos", "x86_64") => "workerd-darwin-64",
        ("macos", "aarch64") => "workerd-darwin-arm64",
        (os, arch) => bail!("there is no workerd for {os} on {arch}"),
    };
    let path = paths.node().join("node_modules/@cloudflare").join(package).join("bin/workerd");
    if !path.is_file() {
        bail!("{} is not there; remove {} and run the command again", path.display(), paths.node().display());
    }
    Ok(path)
}

/// Copies the modules, writes the configuration beside them, and tells how to run it.
pub(super) fn command(paths: &Paths, options: &Options) -> Result<Command> {
    let folder = options.data.join("edge-worker");
    fs::create_dir_all(&folder)?;
    for from in [Some(paths.edge_worker()), options.edge_modules.clone()].into_iter().flatten() {
        let modules = fs::read_dir(&from).with_context(|| format!("{}: not built", from.display()))?;
        for module in modules {
            let module = module?;
            fs::copy(module.path(), folder.join(module.file_name()))?;
        }
    }
    let file = folder.join(CONFIG);
    let text = fs::read_to_string(&file).with_context(|| format!("{}", file.display()))?;
    fs::write(&file, config(text, options)?)?;
    // What the Durable Objects keep outlives workerd, not the stack.
    let state = options.data.join("edge-state");
    fs::create_dir_all(&state)?;
    let mut command = Command::new(binary(paths)?);
    command.arg("serve").args(options.edge_experimental.then_some("--experimental"));
    command.arg(file).arg(format!("--directory-path=state={}", state.display()));
    Ok(command)
}

fn config(mut text: String, options: &Options) -> Result<String> {
    for (from, to) in &options.edge_edits {
        if !text.contains(from) {
            bail!("{CONFIG} has no {from:?} to replace");
        }
        text = text.replace(from, to);
    }
    if let Some(upstream) = &options.upstream {
        let stand_in = format!("http://127.0.0.1:{}", Ports::FIXED.model);
        if !text.contains(&stand_in) {
            bail!("{CONFIG} has no {stand_in} to replace");
        }
        // The ports after it: the new address may have one that looks like ours.
        let parts: Vec<_> = text.split(&stand_in).map(|part| options.ports.put_into(part)).collect();
        return Ok(parts.join(&upstream.to_string()));
    }
    Ok(options.ports.put_into(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"address = "127.0.0.1:8787", (name = "UPSTREAM", text = "http://127.0.0.1:9700")"#;

    fn options() -> Options {
        let mut options = Options::demo(&Paths::find());
        options.ports.edge = 20001;
        options.ports.model = 20002;
        options
    }

    #[test]
    fn ports_are_put_in() {
        let text = config(TEXT.to_owned(), &options()).unwrap();
        assert!(text.contains(":20001\"") && text.contains("http://127.0.0.1:20002"), "{text}");
    }

    #[test]
    fn another_model_keeps_its_port() {
        let mut options = options();
        options.upstream = Some("https://a.example:8787/x/v1".parse().unwrap());
        let text = config(TEXT.to_owned(), &options).unwrap();
        assert!(text.contains(":20001\"") && text.contains("\"https://a.example:8787/x\""), "{text}");
    }

    #[test]
    fn an_edit_that_finds_nothing_is_an_error() {
        let mut options = options();
        options.edge_edits = vec![("absent".into(), "present".into())];
        assert!(config(TEXT.to_owned(), &options).is_err());
    }
}

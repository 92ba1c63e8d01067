//! A PostgreSQL server for as long as it is needed: `cargo xtask postgres COMMAND…`.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::{Paths, interrupt, setup, step};

/// Where the tests of alert-relay look for a server.
pub const VARIABLE: &str = "ALERT_RELAY_TEST_POSTGRES";
/// The server does not run as root; then it gets the user and group that own nothing.
const NOBODY: u32 = 65_534;
/// How long the server may take to start.
const START: Duration = Duration::from_secs(60);
/// How long it may take to end.
const END: Duration = Duration::from_secs(10);

/// Runs commands that find a server in their environment.
///
/// # Errors
/// When the server cannot be brought or started, or a command fails.
pub fn with(paths: &Paths, sync: Sync, commands: &mut [Command]) -> Result<()> {
    let server = Server::start(paths, sync)?;
    for command in commands {
        let title = format!("{} on PostgreSQL", command.get_program().to_string_lossy());
        step::shown(&title, command.env(VARIABLE, server.url()))?;
    }
    Ok(())
}

/// Whether what is committed is on the disk, not only with the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// As it has to be.
    On,
    /// Quicker; for tests that end no machine.
    Off,
}

/// A server with an empty database of its own, in a folder that goes with it.
#[derive(Debug)]
pub struct Server {
    child: Child,
    folder: PathBuf,
    port: u16,
}

impl Server {
    /// Makes and starts one on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When the server cannot be brought, made or started.
    pub fn start(paths: &Paths, sync: Sync) -> Result<Self> {
        let native = setup::postgres(paths)?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let folder = std::env::temp_dir().join(format!("modelgate-postgres-{}-{port}", std::process::id()));
        fs::create_dir_all(&folder)?;
        if geteuid().is_root() {
            std::os::unix::fs::chown(&folder, Some(NOBODY), Some(NOBODY))?;
        }
        let data = folder.join("data");
        let mut init = command(&native, "initdb");
        init.args(["--username=relay", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(&data);
        step::output(&mut init).context("making a PostgreSQL database")?;
        let mut serve = command(&native, "postgres");
        serve.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-p", &port.to_string()]);
        for setting in [
            "unix_socket_directories=",
            "max_connections=300",
            "autovacuum_naptime=10s",
            if sync == Sync::On { "fsync=on" } else { "fsync=off" },
        ] {
            serve.args(["-c", setting]);
        }
        let log = folder.join("log");
        let out = fs::File::create(&log).with_context(|| format!("{}", log.display()))?;
        serve.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out).process_group(0);
        let child = serve.spawn().context("starting PostgreSQL")?;
        let mut server = Self { child, folder, port };
        interrupt::wait("the start of PostgreSQL", START, || server.is_ready())?;
        Ok(server)
    }

    /// Its address, with user and database.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgresql://relay@127.0.0.1:{}/postgres", self.port)
    }

    fn is_ready(&mut self) -> Result<Option<()>> {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        if let Some(status) = self.child.try_wait()? {
            bail!("PostgreSQL ended with {status}\n{}", step::tail(&log, 15));
        }
        let ready = log.contains("ready to accept connections");
        Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok().filter(|_| ready).map(drop))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGINT: do not wait for those who are connected.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::INT);
        }
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if begun.elapsed() > END {
                let _ = self.child.kill();
                let _ = self.child.wait();
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// One of the server's programs. It needs nothing of our environment.
fn command(native: &Path, program: &str) -> Command {
    let mut command = Command::new(native.join("bin").join(program));
    command.env_clear().env("LC_ALL", "C").current_dir("/");
    if geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

//! The relay as a process of its own, that can be killed.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{Scratch, client::exchange, toml};

/// The relay as a process of its own.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    /// Starts one on a port that is free.
    pub(crate) fn spawn(scratch: &Scratch) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self::spawn_at(scratch, address, "")
    }

    /// Starts one on this port; what it says is kept.
    pub(crate) fn spawn_at(scratch: &Scratch, address: SocketAddr, more: &str) -> Self {
        Self::spawn_with(scratch, address, more, &[])
    }

    /// The same with these variables, and no others.
    pub(crate) fn spawn_with(
        scratch: &Scratch,
        address: SocketAddr,
        more: &str,
        variables: &[(&str, &Path)],
    ) -> Self {
        let path = scratch.join("relay.toml");
        fs::write(&path, toml(scratch, more).replace("127.0.0.1:0", &address.to_string())).unwrap();
        let log = fs::OpenOptions::new().create(true).append(true).open(scratch.join("relay.err")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_alert-relay"))
            .arg("--config")
            .arg(&path)
            .env_clear()
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, address }
    }

    /// Starts one and waits until it is ready.
    pub(crate) async fn ready(scratch: &Scratch) -> Self {
        let mut process = Self::spawn(scratch);
        process.until_ready(scratch).await;
        process
    }

    /// Starts one that is told that a file cannot grow beyond so many bytes, and waits until it is ready.
    pub(crate) async fn with_small_files(scratch: &Scratch, bytes: u64) -> Self {
        let mut process = Self::ready(scratch).await;
        let address = process.address;
        process.kill();
        let log = fs::File::create(scratch.join("relay.err")).unwrap();
        // Ignored signals stay ignored behind exec; the write then fails as on a full disk.
        let child = Command::new("sh")
            .args(["-c", "trap '' XFSZ; exec \"$0\" --config \"$1\"", env!("CARGO_BIN_EXE_alert-relay")])
            .arg(scratch.join("relay.toml"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        process = Self { child, address };
        process.until_ready(scratch).await;
        process.limit_files(Some(bytes));
        process
    }

    /// Limits how long its files may get; none, and they may again.
    pub(crate) fn limit_files(&self, bytes: Option<u64>) {
        let limit = bytes.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string());
        let set = Command::new("prlimit")
            .args(["--pid", &self.child.id().to_string(), &format!("--fsize={limit}:")])
            .status()
            .unwrap();
        assert!(set.success());
    }

    /// Waits until it is ready.
    pub(crate) async fn until_ready(&mut self, scratch: &Scratch) {
        for _ in 0..1500 {
            if exchange(self.address, b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                .await
                .is_some_and(|answer| answer.status == 200)
            {
                return;
            }
            assert!(self.child.try_wait().unwrap().is_none(), "it ended: {}", said(scratch));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never ready: {}", said(scratch));
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and the exit code.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

/// What the relay wrote to its operator.
pub(crate) fn said(scratch: &Scratch) -> String {
    fs::read_to_string(scratch.join("relay.err")).unwrap_or_default()
}

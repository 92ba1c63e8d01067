//! Tells the service manager how the relay stands (systemd's `Type=notify`, `sd_notify(3)`).

use std::{env, io, os::unix::net::UnixDatagram};

#[cfg(target_os = "linux")]
use std::os::{linux::net::SocketAddrExt as _, unix::net::SocketAddr};

use crate::notice;

/// The variable with the manager's socket: a path, or a name behind `@` in Linux' abstract name space.
const SOCKET: &str = "NOTIFY_SOCKET";

/// What the manager is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It takes requests.
    Ready,
    /// It begins again with another configuration, and will be ready then.
    Reloading,
    /// It takes no more requests.
    Stopping,
}

impl State {
    const fn message(self) -> &'static [u8] {
        match self {
            Self::Ready => b"READY=1",
            Self::Reloading => b"RELOADING=1",
            Self::Stopping => b"STOPPING=1",
        }
    }
}

/// Tells the manager, if there is one.
pub(crate) fn tell(state: State) {
    let Ok(name) = env::var(SOCKET) else { return };
    if let Err(e) = send(&name, state.message()) {
        notice::warning!("the service manager at {SOCKET} cannot be told: {e}");
    }
}

fn send(name: &str, message: &[u8]) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    // A manager that does not read must not hold up the relay.
    socket.set_nonblocking(true)?;
    #[cfg(target_os = "linux")]
    if let Some(name) = name.strip_prefix('@') {
        return socket.send_to_addr(message, &SocketAddr::from_abstract_name(name)?).map(drop);
    }
    socket.send_to(message, name).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn an_abstract_name_is_one() {
        let name = format!("modelgate-manager-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        send(&format!("@{name}"), State::Ready.message()).unwrap();
        let mut read = [0; 64];
        let length = manager.recv(&mut read).unwrap();
        assert_eq!(&read[..length], b"READY=1");
        drop(manager);
        assert!(send(&format!("@{name}"), State::Ready.message()).is_err());
    }
}

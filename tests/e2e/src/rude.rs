//! Models that do not behave.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::Result;
use socket2::SockRef;

/// What it does with each connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manners {
    /// Answers 200 to every connection's first request, as it should.
    Behaves,
    /// Answers 200 once it has read the head, and never reads the body.
    AnswersEarly,
    /// Resets the connection once it has read the head.
    Resets,
    /// Begins an answer and resets the connection in the middle.
    BreaksOff,
    /// Closes without a word.
    Closes,
    /// Sends what is no HTTP.
    Babbles,
    /// Reads and never answers.
    Sulks,
}

impl Manners {
    /// All of them that are bad.
    pub const BAD: [Self; 6] =
        [Self::AnswersEarly, Self::Resets, Self::BreaksOff, Self::Closes, Self::Babbles, Self::Sulks];
}

/// A model on a port of its own that ends with this value.
#[derive(Debug)]
pub struct Rude {
    port: u16,
    manners: Arc<Mutex<Manners>>,
    heads: Arc<Mutex<Vec<String>>>,
    bodies: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

impl Rude {
    /// Starts it.
    ///
    /// # Errors
    /// When there is no port for it.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let rude = Self {
            port: listener.local_addr()?.port(),
            manners: Arc::new(Mutex::new(Manners::Closes)),
            heads: Arc::default(),
            bodies: Arc::default(),
            over: Arc::default(),
        };
        let (manners, heads, over) =
            (Arc::clone(&rude.manners), Arc::clone(&rude.heads), Arc::clone(&rude.over));
        let bodies = Arc::clone(&rude.bodies);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let manners = Arc::clone(&manners);
                let (heads, bodies, over) = (Arc::clone(&heads), Arc::clone(&bodies), Arc::clone(&over));
                if let Ok(stream) = stream {
                    // What goes wrong with such a connection is its purpose.
                    thread::spawn(move || drop(serve(stream, &manners, &heads, &bodies, &over)));
                }
            }
        });
        Ok(rude)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Has it behave differently from now on.
    pub fn behave(&self, manners: Manners) {
        *self.manners.lock().unwrap_or_else(PoisonError::into_inner) = manners;
    }

    /// Bytes of bodies that it read while it sulked.
    #[must_use]
    pub fn bodies(&self) -> u64 {
        self.bodies.load(Ordering::Relaxed)
    }

    /// The heads of the requests that it got.
    #[must_use]
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Rude {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // So that it notices.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
    }
}

fn serve(
    mut stream: TcpStream,
    manners: &Mutex<Manners>,
    heads: &Mutex<Vec<String>>,
    bodies: &AtomicU64,
    over: &AtomicBool,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut head = Vec::new();
    let mut byte = [0_u8];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? > 0 {
        head.extend_from_slice(&byte);
    }
    heads.lock().unwrap_or_else(PoisonError::into_inner).push(String::from_utf8_lossy(&head).into_owned());
    // Those of now, not those of when Envoy connected: it does that ahead.
    let manners = *manners.lock().unwrap_or_else(PoisonError::into_inner);
    let reset = |stream: TcpStream| SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    match manners {
        Manners::Behaves => {
            let ended =
                stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi");
            // Envoy, which was told, closes first.
            while ended.is_ok() && stream.read(&mut [0_u8; 4096])? > 0 {}
            ended
        }
        Manners::AnswersEarly => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi")?;
            thread::sleep(Duration::from_millis(300));
            reset(stream)
        }
        Manners::Resets => reset(stream),
        Manners::BreaksOff => {
            stream.write_all(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{\"a\":",
            )?;
            thread::sleep(Duration::from_millis(50));
            reset(stream)
        }
        Manners::Closes => Ok(()),
        Manners::Babbles => stream.write_all(b"\xff\xfe\0\0 200 what?\r\n\r\n"),
        Manners::Sulks => {
            while !over.load(Ordering::Relaxed) {
                let read = stream.read(&mut [0_u8; 4096])?;
                if read == 0 {
                    break;
                }
                bodies.fetch_add(read as u64, Ordering::Relaxed);
            }
            Ok(())
        }
    }
}

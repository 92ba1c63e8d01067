//! A mail server for faults: it keeps to RFC 5321 except where a test tells it not to.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// Where in the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Connect,
    Ehlo,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    /// The message is there, its final dot too.
    Message,
    Quit,
}

/// What to do instead of the right thing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    Reply(&'static str),
    /// Say nothing, keep the connection.
    Stall,
    /// Close the connection.
    Drop,
    /// Take the message, then close the connection without an answer.
    TakeAndDrop,
}

/// Decides on a fault: stage, the line that came, and how often this stage was reached before.
pub(crate) type Script = dyn Fn(Stage, &str, usize) -> Option<Fault> + Send + Sync;

/// A message that was taken.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    /// As it came, dots unstuffed.
    pub(crate) data: String,
    pub(crate) encrypted: bool,
    pub(crate) login: Option<String>,
}

impl Received {
    /// The value of a header on one line.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let head = self.data.split("\r\n\r\n").next()?;
        head.split("\r\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// The server's encryption.
#[derive(Clone)]
pub(crate) enum Encryption {
    None,
    StartTls(TlsAcceptor),
    Implicit(TlsAcceptor),
}

/// A server at work; it ends with this.
pub(crate) struct Smtp {
    pub(crate) address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    stages: Arc<Mutex<Vec<Stage>>>,
    task: JoinHandle<()>,
}

impl Drop for Smtp {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Smtp {
    /// One that behaves.
    pub(crate) async fn start() -> Self {
        Self::with(Encryption::None, |_, _, _| None).await
    }

    pub(crate) async fn scripted(
        script: impl Fn(Stage, &str, usize) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        Self::with(Encryption::None, script).await
    }

    pub(crate) async fn with(
        encryption: Encryption,
        script: impl Fn(Stage, &str, usize) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, encryption, script)
    }

    pub(crate) fn on(
        listener: TcpListener,
        encryption: Encryption,
        script: impl Fn(Stage, &str, usize) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let stages = Arc::new(Mutex::new(Vec::new()));
        let session = Session {
            encryption,
            script: Arc::new(script),
            received: Arc::clone(&received),
            stages: Arc::clone(&stages),
        };
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let session = session.clone();
                tokio::spawn(async move { session.serve(stream).await });
            }
        });
        Self { address, received, stages, task }
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// How often a stage was reached.
    pub(crate) fn reached(&self, stage: Stage) -> usize {
        self.stages.lock().unwrap().iter().filter(|known| **known == stage).count()
    }

    /// The `[smtp]` table and recipients for this server.
    pub(crate) fn toml(&self, recipients: &[&str], more: &str) -> String {
        format!(
            "[smtp]\nserver = \"localhost\"\nport = {}\n{more}\n[mail]\nsender = \"relay@example.org\"\n\
             recipients = {recipients:?}\n",
            self.address.port()
        )
    }
}

#[derive(Clone)]
struct Session {
    encryption: Encryption,
    script: Arc<Script>,
    received: Arc<Mutex<Vec<Received>>>,
    stages: Arc<Mutex<Vec<Stage>>>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Ends a session.
struct Gone;

impl Session {
    async fn serve(self, stream: TcpStream) {
        let _ = self.converse(stream).await;
    }

    async fn converse(&self, stream: TcpStream) -> Result<(), Gone> {
        let mut encrypted = false;
        let stream: Box<dyn Stream> = match &self.encryption {
            Encryption::Implicit(acceptor) => {
                encrypted = true;
                Box::new(acceptor.accept(stream).await.map_err(|_| Gone)?)
            }
            _ => Box::new(stream),
        };
        let mut stream = BufReader::new(stream);
        self.answer(&mut stream, Stage::Connect, "", "220 test ESMTP").await?;
        let mut mail =
            Received { from: String::new(), to: Vec::new(), data: String::new(), encrypted, login: None };
        loop {
            let line = read_line(&mut stream).await?;
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" | "HELO" => {
                    let starttls = matches!(self.encryption, Encryption::StartTls(_)) && !mail.encrypted;
                    let reply = match starttls {
                        true => "250-test\r\n250-8BITMIME\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN XOAUTH2",
                        false => "250-test\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN XOAUTH2",
                    };
                    self.answer(&mut stream, Stage::Ehlo, &line, reply).await?;
                }
                "STARTTLS" => {
                    let Encryption::StartTls(acceptor) = &self.encryption else { return Err(Gone) };
                    self.answer(&mut stream, Stage::StartTls, &line, "220 go ahead").await?;
                    let upgraded = acceptor.accept(stream.into_inner()).await.map_err(|_| Gone)?;
                    stream = BufReader::new(Box::new(upgraded));
                    mail.encrypted = true;
                }
                "AUTH" => {
                    mail.login = Some(line.clone());
                    if line == "AUTH LOGIN" {
                        // "Username:" and "Password:" in base64.
                        for challenge in ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"] {
                            write(&mut stream, challenge).await?;
                            let answer = read_line(&mut stream).await?;
                            mail.login = mail.login.map(|login| format!("{login} {answer}"));
                        }
                    }
                    self.answer(&mut stream, Stage::Auth, &line, "235 welcome").await?;
                }
                "MAIL" => {
                    mail.from = line.clone();
                    mail.to.clear();
                    self.answer(&mut stream, Stage::Mail, &line, "250 ok").await?;
                }
                "RCPT" => {
                    if self.answer(&mut stream, Stage::Rcpt, &line, "250 ok").await? {
                        mail.to.push(line.trim_start_matches("RCPT TO:").to_owned());
                    }
                }
                "DATA" => {
                    if self.answer(&mut stream, Stage::Data, &line, "354 go on").await? {
                        mail.data = read_message(&mut stream).await?;
                        self.take(&mut stream, &mail).await?;
                    }
                }
                "QUIT" => {
                    self.answer(&mut stream, Stage::Quit, &line, "221 bye").await?;
                    return Err(Gone);
                }
                _ => write(&mut stream, "500 what").await?,
            }
        }
    }

    async fn take(&self, stream: &mut BufReader<Box<dyn Stream>>, mail: &Received) -> Result<(), Gone> {
        let before = self.count(Stage::Message);
        match (self.script)(Stage::Message, &mail.to.join(","), before) {
            None => {
                self.received.lock().unwrap().push(mail.clone());
                write(stream, "250 taken").await
            }
            Some(Fault::TakeAndDrop) => {
                self.received.lock().unwrap().push(mail.clone());
                Err(Gone)
            }
            Some(fault) => apply(stream, fault).await,
        }
    }

    /// Answers as it should, or as the script wants. True if it was the right answer.
    async fn answer(
        &self,
        stream: &mut BufReader<Box<dyn Stream>>,
        stage: Stage,
        line: &str,
        right: &str,
    ) -> Result<bool, Gone> {
        let before = self.count(stage);
        match (self.script)(stage, line, before) {
            None => write(stream, right).await.map(|()| true),
            Some(fault) => apply(stream, fault).await.map(|()| false),
        }
    }

    /// Counts a stage; how often it was reached before.
    fn count(&self, stage: Stage) -> usize {
        let mut stages = self.stages.lock().unwrap();
        let before = stages.iter().filter(|known| **known == stage).count();
        stages.push(stage);
        before
    }
}

async fn apply(stream: &mut BufReader<Box<dyn Stream>>, fault: Fault) -> Result<(), Gone> {
    match fault {
        Fault::Reply(reply) => {
            write(stream, reply).await?;
            // RFC 5321, 3.8: 421 closes the channel.
            if reply.starts_with("421") { Err(Gone) } else { Ok(()) }
        }
        Fault::Stall => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            Err(Gone)
        }
        Fault::Drop | Fault::TakeAndDrop => Err(Gone),
    }
}

async fn write(stream: &mut BufReader<Box<dyn Stream>>, reply: &str) -> Result<(), Gone> {
    stream.get_mut().write_all(format!("{reply}\r\n").as_bytes()).await.map_err(|_| Gone)?;
    stream.get_mut().flush().await.map_err(|_| Gone)
}

async fn read_line(stream: &mut BufReader<Box<dyn Stream>>) -> Result<String, Gone> {
    let mut line = String::new();
    match stream.read_line(&mut line).await {
        Ok(0) | Err(_) => Err(Gone),
        Ok(_) => Ok(line.trim_end().to_owned()),
    }
}

async fn read_message(stream: &mut BufReader<Box<dyn Stream>>) -> Result<String, Gone> {
    let mut data = Vec::new();
    while !data.ends_with(b"\r\n.\r\n") {
        if stream.read_until(b'\n', &mut data).await.map_err(|_| Gone)? == 0 {
            return Err(Gone);
        }
    }
    data.truncate(data.len() - 3);
    Ok(String::from_utf8(data).map_err(|_| Gone)?.replace("\r\n..", "\r\n."))
}

/// The text part, as a person reads it.
pub(crate) fn plain(data: &str) -> String {
    let part = data.split("Content-Type: text/plain").nth(1).unwrap();
    let (part, _) = part.split_once("Content-Type: text/html").unwrap();
    let body = part.split_once("\r\n\r\n").unwrap().1.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = body.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code =
            (*first == b'=').then(|| u8::from_str_radix(std::str::from_utf8(&after[..2]).unwrap(), 16));
        match code {
            Some(byte) => {
                bytes.push(byte.unwrap());
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// The heads of logs in the text of a digest, each with the line that says whose it is.
pub(crate) fn heads(data: &str) -> Vec<(String, String)> {
    let text = plain(data);
    let is_head = |line: &&str| {
        line.split_once(':').is_some_and(|(number, seal)| {
            number.parse::<u64>().is_ok() && seal.len() == 32 && seal.bytes().all(|b| b.is_ascii_hexdigit())
        })
    };
    let lines: Vec<&str> = text.lines().collect();
    let pairs = lines.windows(2).filter(|pair| is_head(&pair[1]));
    pairs.map(|pair| (pair[0].to_owned(), pair[1].to_owned())).collect()
}

//! Running it: a configuration read anew, an end that loses nothing, secrets that stay secret, and what is shipped for that.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails here fails as it should"
)]

mod common;

use std::{
    collections::BTreeMap, fs, net::TcpListener, os::unix::net::UnixDatagram, process::Command,
    time::Duration,
};

use common::{
    Scratch,
    client::{get, metric, post, request},
    event,
    http::{Web, reply},
    process::{Process, said},
    smtp::{Fault, Smtp, Stage},
    toml, until,
};

/// SIGHUP.
fn hang_up(process: &Process) {
    let pid = process.child.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
}

fn write(scratch: &Scratch, process: &Process, more: &str) {
    let text = toml(scratch, more).replace("127.0.0.1:0", &process.address.to_string());
    fs::write(scratch.join("relay.toml"), text).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_configuration_is_taken_on_while_requests_come_and_a_bad_one_is_not() {
    let scratch = Scratch::new();
    let web = Web::start(|_, _| reply("200 OK", "", "")).await;
    let mut process = Process::ready(&scratch).await;
    let address = process.address;
    // Somebody sends all the time; none of it may be refused or lost.
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let sender = tokio::spawn(async move {
        let mut sent = 0;
        while stopped.try_recv().is_err() {
            assert_eq!(post(address, &[event("203.0.113.1", "low")]).await.status, 202);
            sent += 1;
        }
        sent
    });
    write(&scratch, &process, "nonsense = 1\n");
    hang_up(&process);
    until("the bad one is told of", || said(&scratch).contains("the last good one stays")).await;
    assert!(said(&scratch).contains("nonsense"), "{}", said(&scratch));
    let unusable = "[[receivers]]\nname = \"x\"\n[[receivers.slack]]\nurl = \"https://x.example/\"\nca_file = \"relay.toml\"\n";
    write(&scratch, &process, unusable);
    hang_up(&process);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let slack = format!("[[receivers]]\nname = \"soc\"\n[[receivers.slack]]\nurl = {:?}\n", web.url("/"));
    write(&scratch, &process, &format!("api_token = \"of-the-new-one\"\n{slack}"));
    hang_up(&process);
    until("the good one is told of", || said(&scratch).matches("listening on").count() == 2).await;
    post(address, &[event("203.0.113.2", "high")]).await;
    until("the new receiver is told", || web.posted().len() == 1).await;
    assert_eq!(get(address, "/v1/summary").await.status, 401, "the new token is needed");
    let bearer = [("authorization", "Bearer of-the-new-one")];
    assert_eq!(request(address, "GET", "/v1/summary", &bearer, b"").await.status, 200);
    stop.send(()).unwrap();
    let sent: i64 = sender.await.unwrap();
    assert!(process.child.try_wait().unwrap().is_none());
    assert_eq!(process.terminate(), Some(0));
    assert_eq!(scratch.count("SELECT COUNT(*) FROM events"), sent + 1);
    assert!(!said(&scratch).contains("of-the-new-one"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_waits_for_the_mail_on_its_way() {
    let scratch = Scratch::new();
    // A server that takes its time: the fault comes never, the count does.
    let smtp = Smtp::scripted(|at, _, _| {
        if at == Stage::Data {
            std::thread::sleep(std::time::Duration::from_millis(700));
        }
        None::<Fault>
    })
    .await;
    let mut process = Process::spawn(&scratch);
    process.until_ready(&scratch).await;
    write(&scratch, &process, &smtp.toml(&["ops@example.org"], ""));
    hang_up(&process);
    until("it is read", || said(&scratch).matches("listening on").count() == 2).await;
    post(process.address, &[event("203.0.113.1", "critical")]).await;
    until("the mail is on its way", || smtp.reached(Stage::Mail) == 1).await;
    assert_eq!(process.terminate(), Some(0));
    assert_eq!(smtp.received().len(), 1);
    assert_eq!(scratch.text("SELECT state FROM outbox WHERE channel = 'email'"), "sent");
}

/// Everything that is said or served, with a secret in every place where one can be, and failures of all of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_never_said() {
    let scratch = Scratch::new();
    let smtp = Smtp::scripted(|at, _, _| (at == Stage::Auth).then_some(Fault::Reply("535 5.7.8 bad"))).await;
    // It says back whatever it is told.
    let web = Web::start(|_, posted| {
        let body = String::from_utf8_lossy(&posted.body);
        let authorization = posted.header("authorization").unwrap_or_default();
        reply("500 Error", "", &format!("away: {} {authorization} {body}", posted.line))
    })
    .await;
    let key = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtb3V0Z29pbmc=";
    let receivers = format!(
        "[[receivers]]\nname = \"soc\"\n[[receivers.webhook]]\nurl = {:?}\nkey = {key:?}\n\
         authorization = \"Bearer secret-authorization\"\n[[receivers.slack]]\nurl = {:?}\n\
         [[receivers.pagerduty]]\nurl = {:?}\nrouting_key = \"secret-routing-key\"\n",
        web.url("/secret-webhook-path"),
        web.url("/services/secret-slack-path"),
        web.url("/v2")
    );
    let login = "username = \"relay\"\npassword = \"secret-smtp-password\"\n";
    let more =
        format!("api_token = \"secret-api-token\"\n{receivers}{}", smtp.toml(&["ops@example.org"], login));
    let secrets = [
        "c2VjcmV0LXNlY3JldC1zZWNyZXQtb3V0Z29pbmc",
        "secret-authorization",
        "secret-webhook-path",
        "secret-slack-path",
        "secret-routing-key",
        "secret-smtp-password",
        "secret-api-token",
        &common::KEY[6..],
        "AHJlbGF5AHNlY3JldC1zbXRwLXBhc3N3b3Jk",
    ];
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut process = Process::spawn_at(&scratch, address, &more);
    process.until_ready(&scratch).await;
    post(address, &[event("203.0.113.1", "high")]).await;
    let tries = "SELECT COUNT(*) FROM outbox WHERE attempts >= 1";
    until("all were tried", || scratch.count(tries) == 4).await;
    let mut heard = String::new();
    let bearer = [("authorization", "Bearer secret-api-token")];
    for path in
        ["/v1/incidents", "/metrics", "/readyz", "/openapi.json", "/v1/decisions", "/v1/audit", "/v1/summary"]
    {
        let answer = request(address, "GET", path, &bearer, b"").await;
        assert_eq!(answer.status, 200, "{path}");
        heard.push_str(&answer.body);
        heard.push_str(&get(address, path).await.body);
    }
    let id = heard.split("\"id\":\"").nth(1).unwrap()[..36].to_owned();
    for path in [format!("/v1/incidents/{id}"), format!("/incidents/{id}")] {
        heard.push_str(&request(address, "GET", &path, &bearer, b"").await.body);
    }
    assert_eq!(process.terminate(), Some(0));
    heard.push_str(&said(&scratch));
    heard.push_str(&scratch.log_lines().join("\n"));
    for args in [&["test-alert"][..], &["--check"], &["resend"], &["check"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_alert-relay"))
            .args(args)
            .arg("--config")
            .arg(scratch.join("relay.toml"))
            .env_clear()
            .output()
            .unwrap();
        heard.push_str(&String::from_utf8([output.stdout, output.stderr].concat()).unwrap());
    }
    // A configuration with a slip on every line that has a secret.
    let text = fs::read_to_string(scratch.join("relay.toml")).unwrap();
    for line in text.lines().filter(|line| secrets.iter().any(|secret| line.contains(secret))) {
        for slip in [format!("{line} x"), line.replacen('"', "", 1), line.replacen(" = ", "_ = ", 1)] {
            fs::write(scratch.join("slip.toml"), text.replacen(line, &slip, 1)).unwrap();
            let output = Command::new(env!("CARGO_BIN_EXE_alert-relay"))
                .args(["--check", "--config"])
                .arg(scratch.join("slip.toml"))
                .env_clear()
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(64), "{slip}");
            heard.push_str(&String::from_utf8(output.stderr).unwrap());
        }
    }
    assert!(heard.contains("FAILED") && heard.contains("535") && heard.len() > 10_000);
    for secret in secrets {
        assert!(!heard.contains(secret), "{secret} was said");
    }
}

#[tokio::test]
async fn metrics_tell_how_each_channel_does() {
    let scratch = Scratch::new();
    let web = Web::start(|before, _| match before {
        0 => reply("503 Away", "", ""),
        1 => reply("200 OK", "", ""),
        _ => reply("400 Bad", "", ""),
    })
    .await;
    let slack = format!("[[receivers]]\nname = \"soc\"\n[[receivers.slack]]\nurl = {:?}\n", web.url("/"));
    let relay = common::start(&scratch, &slack).await;
    post(relay.address(), &[event("203.0.113.1", "high")]).await;
    until("it is sent", || scratch.count("SELECT COUNT(*) FROM outbox WHERE state = 'sent'") == 1).await;
    post(relay.address(), &[event("203.0.113.2", "high")]).await;
    until("it is parked", || scratch.count("SELECT COUNT(*) FROM outbox WHERE state = 'parked'") == 1).await;
    for outcome in ["retried", "sent", "parked"] {
        let name = format!("modelgate_relay_deliveries_total{{channel=\"slack\",outcome=\"{outcome}\"}}");
        assert_eq!(metric(relay.address(), &name).await, 1.0, "{outcome}");
    }
    let ready = get(relay.address(), "/readyz").await.json();
    assert_eq!(ready["status"], "degraded", "health tells of what is parked");
    relay.shut_down().await;
}

/// systemd's side of `Type=notify`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_manager_is_told_when_it_is_ready_and_when_it_ends() {
    let scratch = Scratch::new();
    let path = scratch.join("manager.sock");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let next = || {
        let mut message = [0; 64];
        let length = manager.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..length]).into_owned()
    };
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let process = Process::spawn_with(&scratch, address, "", &[("NOTIFY_SOCKET", &path)]);
    assert_eq!(next(), "READY=1");
    assert_eq!(get(address, "/readyz").await.status, 200, "it is, at once");
    write(&scratch, &process, "nonsense = 1\n");
    hang_up(&process);
    until("the bad one is told of", || said(&scratch).contains("the last good one stays")).await;
    write(&scratch, &process, "");
    hang_up(&process);
    assert_eq!([next(), next()], ["RELOADING=1", "READY=1"]);
    assert_eq!(process.terminate(), Some(0));
    assert_eq!(next(), "STOPPING=1");
    // Whoever has gone away since is no reason not to work.
    drop(manager);
    fs::remove_file(&path).unwrap();
    let mut process = Process::spawn_with(&scratch, address, "", &[("NOTIFY_SOCKET", &path)]);
    process.until_ready(&scratch).await;
    until("the operator hears of it", || said(&scratch).contains("NOTIFY_SOCKET cannot be told")).await;
    process.kill();
}

/// Sections, and in each the values of a key.
fn unit(text: &str) -> BTreeMap<String, Vec<(String, String)>> {
    let mut sections: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let mut section = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix('[') {
            Some(name) => section = name.strip_suffix(']').unwrap().to_owned(),
            None => {
                let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("{line}"));
                assert!(key.chars().all(|c| c.is_ascii_alphanumeric()), "{line}");
                sections.entry(section.clone()).or_default().push((key.to_owned(), value.to_owned()));
            }
        }
    }
    sections
}

#[test]
fn the_systemd_unit_is_one_and_gives_the_relay_nothing_it_does_not_need() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/alert-relay.service");
    let text = fs::read_to_string(path).unwrap();
    let sections = unit(&text);
    assert_eq!(sections.keys().collect::<Vec<_>>(), ["Install", "Service", "Unit"]);
    let service = &sections["Service"];
    let has = |key: &str, value: &str| service.iter().any(|(k, v)| k == key && v == value);
    for (key, value) in [
        ("DynamicUser", "yes"),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("CapabilityBoundingSet", ""),
        ("MemoryDenyWriteExecute", "yes"),
        ("SystemCallFilter", "@system-service"),
        ("Type", "notify"),
        ("ExecReload", "/bin/sh -c 'kill -HUP $MAINPID'"),
        ("RestartPreventExitStatus", "64"),
    ] {
        assert!(has(key, value), "{key}={value}");
    }
    // Where systemd is at hand it has the last word; the binary is not installed here, which it would tell of.
    if let Ok(output) = Command::new("systemd-analyze").arg("--version").output()
        && output.status.success()
    {
        let scratch = std::env::temp_dir().join(format!("alert-relay-{}.service", std::process::id()));
        fs::write(&scratch, text.replace("/usr/local/bin/alert-relay", env!("CARGO_BIN_EXE_alert-relay")))
            .unwrap();
        let output = Command::new("systemd-analyze").arg("verify").arg(&scratch).output().unwrap();
        // Of 100, where 0 is least exposed; versions differ by some points.
        let exposure = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--threshold=20", "--no-pager"])
            .arg(&scratch)
            .output()
            .unwrap();
        fs::remove_file(&scratch).unwrap();
        let says = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!says.contains("Unknown") && !says.contains("Failed to parse"), "{says}");
        let (says, error) =
            (String::from_utf8_lossy(&exposure.stdout), String::from_utf8_lossy(&exposure.stderr));
        // Before version 250 it looks at running units only.
        if !error.contains("unrecognized option") {
            assert!(exposure.status.success() && says.contains("exposure level"), "{says}{error}");
        }
    }
}

#[test]
fn the_image_has_no_root_and_no_shell() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Dockerfile")).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    let word = |name: &str| lines.iter().filter_map(|line| line.strip_prefix(name)).collect::<Vec<_>>();
    assert!(word("FROM ")[0].contains("distroless") && word("FROM ")[0].ends_with(":nonroot"));
    let user = word("USER ")[0];
    assert!(user.split(':').all(|id| id.parse::<u32>().unwrap() > 0), "{user}");
    assert!(word("RUN ").is_empty(), "there is no shell to run anything");
    assert!(word("ENTRYPOINT ")[0].starts_with('['), "no shell in between");
    assert_eq!(word("STOPSIGNAL "), ["SIGTERM"]);
    for line in &lines {
        assert!(!line.contains("_KEY=") && !line.contains("PASSWORD") && !line.contains("TOKEN"), "{line}");
    }
}

#[test]
fn the_help_names_every_command_and_signal() {
    let output = Command::new(env!("CARGO_BIN_EXE_alert-relay")).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let commands =
        ["backup", "restore", "check", "log-key", "verify", "test-alert", "resend", "--config", "--head"];
    for word in commands.iter().chain(&["SIGTERM", "SIGHUP", "SMTP_SERVER", "DATABASE_URL", "_FILE"]) {
        assert!(help.contains(word), "{word}");
    }
    assert!(help.lines().all(|line| line.chars().count() <= 120), "lines fit a terminal");
}

/// What a sender brought and what was counted is not forgotten because somebody changes the configuration.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_and_quotas_outlast_a_configuration_read_anew() {
    let scratch = Scratch::new();
    let mut process = Process::ready(&scratch).await;
    let quota = "[ingest]\nmax_events_per_minute = 2\n";
    write(&scratch, &process, quota);
    hang_up(&process);
    until("it is read", || said(&scratch).matches("listening on").count() == 2).await;
    let address = process.address;
    for _ in 0..2 {
        assert_eq!(post(address, &[event("203.0.113.1", "low")]).await.status, 202);
    }
    assert_eq!(post(address, &[event("203.0.113.1", "low")]).await.status, 429);
    write(&scratch, &process, &format!("{quota}[outbox]\nretry_min = \"60ms\"\nretry_max = \"200ms\"\n"));
    hang_up(&process);
    until("it is read again", || said(&scratch).matches("listening on").count() == 3).await;
    assert_eq!(post(address, &[event("203.0.113.1", "low")]).await.status, 429, "the quota is forgotten");
    assert_eq!(metric(address, "modelgate_relay_batches_total{status=\"202\"}").await, 2.0);
    assert_eq!(metric(address, "modelgate_relay_batches_total{status=\"429\"}").await, 2.0);
    assert!(process.child.try_wait().unwrap().is_none());
    assert_eq!(process.terminate(), Some(0));
}

/// What fails is the commit of a batch and not the little one that asks whether writing works.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_had_to_refuse_events_is_not_ready_until_it_can_store_them() {
    let scratch = Scratch::new();
    let relay = common::start(&scratch, "").await;
    let address = relay.address();
    let refused = [event("203.0.113.1", "high"), event("203.0.113.1", "high")];
    assert_eq!(get(address, "/readyz").await.status, 200);
    scratch.db.run("ALTER TABLE callers RENAME TO callers_away");
    assert_eq!(post(address, &refused).await.status, 503);
    for _ in 0..3 {
        let ready = get(address, "/readyz").await;
        assert_eq!((ready.status, &ready.json()["status"]), (503, &"unavailable".into()), "{ready:?}");
        assert!(ready.json()["store"].as_str().unwrap().contains("callers"), "it says why: {ready:?}");
        tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    }
    scratch.db.run("ALTER TABLE callers_away RENAME TO callers");
    common::client::until_status(address, "/readyz", 200).await;
    // It is ready because these are stored; their sender has not heard of that and sends them again.
    assert_eq!(scratch.count("SELECT COUNT(*) FROM events"), 2);
    assert_eq!(post(address, &refused).await.json()["duplicates"], 2);
    // Somebody else's batch shows the same.
    scratch.db.run("ALTER TABLE callers RENAME TO callers_away");
    assert_eq!(post(address, &[event("203.0.113.1", "high")]).await.status, 503);
    scratch.db.run("ALTER TABLE callers_away RENAME TO callers");
    assert_eq!(post(address, &refused.map(|_| event("203.0.113.2", "high"))).await.status, 202);
    assert_eq!(get(address, "/readyz").await.status, 200);
    relay.shut_down().await;
}

/// A disk that is nearly full: the last bytes do for little things, and batches get 503.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_disk_that_is_nearly_full_a_relay_is_not_ready_and_with_room_again_it_is() {
    let scratch = Scratch::new();
    if !matches!(scratch.db, common::database::Database::Sqlite(_)) {
        return; // A server has its own disk.
    }
    let process = Process::with_small_files(&scratch, 1 << 20).await;
    let address = process.address;
    let large = || (0..100).map(|_| event("203.0.113.1", "high")).collect::<Vec<_>>();
    let (mut acknowledged, mut refused) = (0, 0);
    // The write-ahead log is emptied into the database until that is full too.
    while refused < 4 {
        match post(address, &large()).await.status {
            202 => (acknowledged, refused) = (acknowledged + 100, 0),
            503 => refused += 1,
            other => panic!("{other}: {}", said(&scratch)),
        }
        assert!(acknowledged < 10_000, "the limit does not limit");
        tokio::time::sleep(std::time::Duration::from_millis(400 * refused)).await;
    }
    for _ in 0..3 {
        let ready = get(address, "/readyz").await;
        assert_eq!(ready.status, 503, "{ready:?} {}", said(&scratch));
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    }
    assert_eq!(get(address, "/healthz").await.status, 200, "a restart would not help");
    process.limit_files(None);
    common::client::until_status(address, "/readyz", 200).await;
    assert_eq!(post(address, &large()).await.status, 202);
    assert_eq!(process.terminate(), Some(0));
    let stored = scratch.count("SELECT COUNT(*) FROM events");
    assert!(stored >= acknowledged + 200, "what was refused, and what came after: {stored}");
}

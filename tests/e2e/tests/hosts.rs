//! The edge worker on other hosts: Node, Deno, Vercel's Edge runtime, each by its adapter; its types; and what would be
//! deployed to Cloudflare.

use std::{
    env::consts::ARCH,
    fs,
    net::Ipv4Addr,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use modelgate_e2e::{ATTACK, CHAT, ask, chat, event_id, eventually, stack_with, stored};
use serde_json::{Value, json};
use xtask::{
    Paths,
    http::Request,
    stack::{Part, Stack},
};

/// A program that ends with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn packages(paths: &Paths) -> PathBuf {
    paths.node().join("node_modules")
}

/// Node 22 or later, which wrangler needs: the package's, where there is one for this machine, else the machine's own.
fn node(paths: &Paths) -> PathBuf {
    let arch = if ARCH == "aarch64" { "arm64" } else { "x64" };
    let own = packages(paths).join(format!("node-linux-{arch}/bin/node"));
    if own.is_file() { own } else { "node".into() }
}

fn start(stack: &Stack, mut command: Command) -> Result<Program> {
    let ports = stack.ports();
    let log = fs::File::create(stack.data().join("log/host.log"))?;
    command
        .env("PORT", ports.edge.to_string())
        .env("UPSTREAM", format!("http://127.0.0.1:{}", ports.model))
        .env("RELAY_URL", format!("http://127.0.0.1:{}", ports.relay))
        .env("MODELGATE_WEBHOOK_KEY", stack.key())
        .env(
            "POLICY",
            r#"{"model":{"name":"demo"},"limits":{"max_requests_per_minute":20},"decisions":{"interval":1}}"#,
        )
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    let mut program = Program(command.spawn().context("starting the host")?);
    eventually("the host's first answer", || {
        ensure!(program.0.try_wait()?.is_none(), "it ended: {}", said(stack));
        Ok(ask(ports.edge, "Hello").ok())
    })?;
    Ok(program)
}

fn said(stack: &Stack) -> String {
    fs::read_to_string(stack.data().join("log/host.log")).unwrap_or_default()
}

/// The worker does on this host what it does elsewhere.
fn check(name: &str, command: impl FnOnce(&Paths) -> Command) -> Result<()> {
    let paths = Paths::find();
    let stack = stack_with(name, |options| options.parts = vec![Part::Model, Part::Mailbox, Part::Relay])?;
    let _program = start(&stack, command(&paths))?;
    let port = stack.ports().edge;
    let answer = ask(port, "What is the capital of Norway?")?;
    let verdict = answer.header("x-modelgate-verdict");
    ensure!((answer.status, verdict) == (200, Some("allow")), "{} {verdict:?}", answer.status);
    ensure!(answer.text().contains("chat.completion"), "{}", answer.text());
    let stream = r#"{"model":"demo","stream":true,"messages":[{"role":"user","content":"Hello"}]}"#;
    let streamed = Request::post(port, CHAT, stream).send()?;
    ensure!(streamed.text().trim_end().ends_with("data: [DONE]"), "{}", streamed.text());
    let blocked = ask(port, ATTACK)?;
    ensure!(blocked.status == 400 && blocked.header("x-modelgate-verdict") == Some("block"));
    let event = stored(&stack, event_id(&blocked)?)?;
    ensure!(event.client.address.as_deref() == Some("127.0.0.1"), "{event:?}");
    // The way there and the query do not get lost.
    let models = Request::get(port, "/v1/models?limit=1").send()?;
    ensure!(models.header("x-modelgate-verdict") == Some("allow"), "{}", models.status);
    // What the security team decides is pulled without any object.
    let decision =
        r#"{"scope":"address","value":"127.0.7.7","action":"block","seconds":600,"reason":"a test"}"#;
    ensure!(Request::post(stack.ports().relay, "/v1/decisions", decision).send()?.status == 201);
    eventually("the decision", || {
        let caller = Ipv4Addr::new(127, 0, 7, 7);
        let answer = Request::post(port, CHAT, chat("Hello")).from(caller).send()?;
        Ok((answer.status == 403).then_some(()))
    })?;
    let held = (0..30).map(|_| Ok(Request::post(port, CHAT, chat("Hello")).send()?.status == 429));
    ensure!(held.collect::<Result<Vec<_>>>()?.contains(&true), "no limit: {}", said(&stack));
    Ok(())
}

#[test]
fn the_worker_runs_on_node() -> Result<()> {
    check("host-node", |paths| {
        let mut command = Command::new("node");
        command.arg(paths.root.join("tests/e2e/hosts/node.mjs")).arg(paths.edge_worker());
        command
    })
}

#[test]
fn the_worker_runs_on_the_edge_runtime_of_vercel() -> Result<()> {
    check("host-vercel", |paths| {
        let mut command = Command::new("node");
        command.arg(paths.root.join("tests/e2e/hosts/vercel.mjs")).arg(paths.edge_worker());
        command
    })
}

#[test]
fn the_worker_runs_on_deno() -> Result<()> {
    check("host-deno", |paths| {
        let arch = if ARCH == "aarch64" { "arm64" } else { "x64" };
        let deno = packages(paths).join(format!("@deno/linux-{arch}-glibc/deno"));
        let mut command = Command::new(deno);
        command.args(["run", "--no-remote", "--allow-net", "--allow-env", "--allow-read"]);
        command.arg(paths.edge_worker().join("deno.mjs"));
        command
    })
}

#[test]
fn every_kind_of_ledger_holds_and_one_that_is_silent_stops_nobody_unless_it_must() -> Result<()> {
    let paths = Paths::find();
    let mut command = Command::new("node");
    command.arg(paths.root.join("tests/e2e/hosts/ledgers.mjs")).arg(paths.edge_worker());
    let output = command.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen: Value = serde_json::from_slice(&output.stdout).context("what it prints")?;
    // Of 400 requests by turns through two isolates.
    let number = |place: &str| seen.pointer(place).and_then(Value::as_u64).unwrap_or(u64::MAX);
    ensure!(number("/shared/passed") == 160, "{seen}");
    ensure!(number("/shared/questions") < 400, "{seen}");
    ensure!(number("/returned") == 160, "{seen}");
    for failing in ["/silent", "/broken", "/rubbish"] {
        ensure!(number(failing) == 160, "counted in memory: {seen}");
    }
    ensure!(seen.pointer("/denied/status") == Some(&json!(503)), "{seen}");
    ensure!(seen.pointer("/denied/verdict") == Some(&json!("block")), "{seen}");
    ensure!(seen.pointer("/events") == Some(&json!(["guard.edge.ledger"])), "{seen}");
    ensure!(number("/limited") == 3, "{seen}");
    ensure!(seen.pointer("/over") == Some(&json!({"status": 429, "retry": "60"})), "{seen}");
    Ok(())
}

#[test]
fn the_types_fit_and_refuse_what_does_not() -> Result<()> {
    let paths = Paths::find();
    let folder = paths.target.join("e2e/types");
    fs::create_dir_all(&folder)?;
    fs::copy(paths.root.join("edge-worker/guard.d.ts"), folder.join("guard.d.mts"))?;
    let compile = |name: &str, code: &str| -> Result<(bool, String)> {
        let file = folder.join(name);
        fs::write(&file, format!("import {{ createGuard, type Host }} from \"./guard.mjs\";\n{code}"))?;
        let mut command = Command::new(node(&paths));
        command.arg(packages(&paths).join("typescript/bin/tsc"));
        command.args(["--noEmit", "--strict", "--module", "nodenext", "--target", "es2024"]);
        command.args(["--lib", "es2024,dom", "--types", ""]).arg(&file);
        let output = command.output().context("running tsc")?;
        Ok((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
    };
    let (fits, told) = compile(
        "good.mts",
        r#"const host: Host = { address: (request) => request.headers.get("x-real-ip") ?? undefined };
const module = new WebAssembly.Module(new Uint8Array());
const routes = [{ path: "/a", upstream: "https://a.example", timeout_ms: 5000 }];
const guard = createGuard(module, { POLICY: "{}", ROUTES: routes, LEDGER_FAILURE: "deny" }, host);
const answer: Promise<Response> = guard.fetch(new Request("https://b.example"), { waitUntil() {} });
void answer;
"#,
    )?;
    ensure!(fits, "{told}");
    let (fits, told) = compile(
        "bad.mts",
        r#"const module = new WebAssembly.Module(new Uint8Array());
createGuard(module, { POLICY: 7, LEDGER_FAILURE: "sometimes" });
"#,
    )?;
    ensure!(!fits && told.matches("error TS2322").count() == 2, "{told}");
    Ok(())
}

#[test]
fn what_would_be_deployed_to_cloudflare_is_whole() -> Result<()> {
    let paths = Paths::find();
    let folder = paths.target.join("e2e/wrangler");
    fs::create_dir_all(&folder)?;
    for entry in fs::read_dir(paths.edge_worker())? {
        let entry = entry?;
        fs::copy(entry.path(), folder.join(entry.file_name()))?;
    }
    fs::copy(paths.root.join("edge-worker/wrangler.toml"), folder.join("wrangler.toml"))?;
    let mut command = Command::new(node(&paths));
    command.arg(packages(&paths).join("wrangler/bin/wrangler.js")).args(["deploy", "--dry-run"]);
    command.current_dir(&folder).env("CI", "1").env("WRANGLER_SEND_METRICS", "false");
    command.env("HOME", &folder).env("XDG_CONFIG_HOME", &folder);
    let output = command.output().context("running wrangler")?;
    let told =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{told}");
    // Each module that is there goes up, but for the adapters of other hosts and what only tests use.
    let other = ["node.mjs", "deno.mjs", "vercel.mjs", "passthrough.mjs", "worker.mjs"];
    for entry in fs::read_dir(paths.edge_worker())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let is_module = [".mjs", ".js", ".wasm"].iter().any(|end| name.ends_with(end));
        if is_module && !other.contains(&name.as_str()) {
            ensure!(told.contains(&name), "{name} does not go up: {told}");
        }
    }
    for binding in ["LEDGER_OBJECT", "OUTBOX_OBJECT", "FEED_OBJECT", "POLICY", "UPSTREAM"] {
        ensure!(told.contains(binding), "{binding} is not bound: {told}");
    }
    Ok(())
}

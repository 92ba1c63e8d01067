# Plain workerd: three workers in front of one model API, for the demo and the tests. The files lie beside this one.
# workerd serve workerd.capnp; MODELGATE_WEBHOOK_KEY comes from the environment.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "guarded", worker = .guarded),
    (name = "unlimited", worker = .unlimited),
    (name = "passthrough", worker = .passthrough),
    # Model and relay may live on this machine or in a private network.
    (name = "internet", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))),
  ],
  sockets = [
    (name = "guarded", address = "127.0.0.1:8787", http = (), service = "guarded"),
    (name = "unlimited", address = "127.0.0.1:8788", http = (), service = "unlimited"),
    (name = "passthrough", address = "127.0.0.1:8789", http = (), service = "passthrough"),
  ],
);

const modules :List(Workerd.Worker.Module) = [
  (name = "worker.mjs", esModule = embed "worker.mjs"),
  (name = "guard.mjs", esModule = embed "guard.mjs"),
  (name = "http.mjs", esModule = embed "http.mjs"),
  (name = "modelgate_edge.js", esModule = embed "modelgate_edge.js"),
  (name = "modelgate_edge_bg.wasm", wasm = embed "modelgate_edge_bg.wasm"),
];

const guarded :Workerd.Worker = (
  modules = .modules,
  bindings = [
    (name = "POLICY", text = "{\"model\":{\"name\":\"demo\"}}"),
    (name = "UPSTREAM", text = "http://127.0.0.1:9700"),
    (name = "RELAY_URL", text = "http://127.0.0.1:9600"),
    (name = "MODELGATE_WEBHOOK_KEY", fromEnvironment = "MODELGATE_WEBHOOK_KEY"),
    (name = "NODE", text = "workerd"),
  ],
  compatibilityDate = "2026-11-01",
  compatibilityFlags = ["enable_request_signal"],
);

# The same without the limit on requests, for load.
const unlimited :Workerd.Worker = (
  modules = .modules,
  bindings = [
    (name = "POLICY", text = "{\"model\":{\"name\":\"demo\"},\"limits\":{\"enabled\":false}}"),
    (name = "UPSTREAM", text = "http://127.0.0.1:9700"),
    (name = "RELAY_URL", text = "http://127.0.0.1:9600"),
    (name = "MODELGATE_WEBHOOK_KEY", fromEnvironment = "MODELGATE_WEBHOOK_KEY"),
    (name = "NODE", text = "workerd-unlimited"),
  ],
  compatibilityDate = "2026-11-01",
  compatibilityFlags = ["enable_request_signal"],
);

const passthrough :Workerd.Worker = (
  modules = [(name = "passthrough.mjs", esModule = embed "passthrough.mjs")],
  bindings = [(name = "UPSTREAM", text = "http://127.0.0.1:9700")],
  compatibilityDate = "2026-11-01",
);

# Plain workerd: three workers in front of one model API, for the demo and the tests. The files lie beside this one.
# workerd serve workerd.capnp --directory-path state=FOLDER, where FOLDER keeps what the Durable Objects know, and is there
# already; MODELGATE_WEBHOOK_KEY comes from the environment.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "guarded", worker = .guarded),
    (name = "unlimited", worker = .unlimited),
    (name = "passthrough", worker = .passthrough),
    # Its place is told on the command line.
    (name = "state", disk = (writable = true)),
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
  (name = "instance.mjs", esModule = embed "instance.mjs"),
  (name = "jwt.mjs", esModule = embed "jwt.mjs"),
  (name = "ledger.mjs", esModule = embed "ledger.mjs"),
  (name = "objects.mjs", esModule = embed "objects.mjs"),
  (name = "relay.mjs", esModule = embed "relay.mjs"),
  (name = "routes.mjs", esModule = embed "routes.mjs"),
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
    (name = "LEDGER_OBJECT", durableObjectNamespace = "ModelgateLedger"),
    (name = "OUTBOX_OBJECT", durableObjectNamespace = "ModelgateOutbox"),
    (name = "FEED_OBJECT", durableObjectNamespace = "ModelgateFeed"),
    (name = "LEDGER_SHARDS", text = "16"),
  ],
  durableObjectNamespaces = [
    (className = "ModelgateLedger", uniqueKey = "guarded-ledger", enableSql = true),
    (className = "ModelgateOutbox", uniqueKey = "guarded-outbox", enableSql = true),
    (className = "ModelgateFeed", uniqueKey = "guarded-feed", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "state"),
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
    (name = "LEDGER_OBJECT", durableObjectNamespace = "ModelgateLedger"),
    (name = "OUTBOX_OBJECT", durableObjectNamespace = "ModelgateOutbox"),
    (name = "FEED_OBJECT", durableObjectNamespace = "ModelgateFeed"),
    (name = "LEDGER_SHARDS", text = "16"),
  ],
  durableObjectNamespaces = [
    (className = "ModelgateLedger", uniqueKey = "unlimited-ledger", enableSql = true),
    (className = "ModelgateOutbox", uniqueKey = "unlimited-outbox", enableSql = true),
    (className = "ModelgateFeed", uniqueKey = "unlimited-feed", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "state"),
  compatibilityDate = "2026-11-01",
  compatibilityFlags = ["enable_request_signal"],
);

const passthrough :Workerd.Worker = (
  modules = [(name = "passthrough.mjs", esModule = embed "passthrough.mjs")],
  bindings = [(name = "UPSTREAM", text = "http://127.0.0.1:9700")],
  compatibilityDate = "2026-11-01",
);

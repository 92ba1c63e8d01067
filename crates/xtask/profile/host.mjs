// What a request costs in the filter, in V8 and without Envoy round it: a host of the proxy-wasm calls that the filter
// makes, which counts them, and one exchange after the other. `cargo xtask profile` runs it; see there.
//
// node --no-liftoff host.mjs MODULE[,MODULE ...] BODY [BODY ...]: Envoy compiles without the baseline compiler, too.
// Several modules are measured in turn. With --cpu-prof or, under perf, --perf-basic-prof, and NAME.debug.wasm, V8 says
// in which functions the time goes by.

import { readFileSync } from "node:fs";

const ROUNDS = 9;
const ROUND_US = 100_000;
const QUICK_ANSWER =
  '{"id":"chatcmpl-0","object":"chat.completion","created":1760000000,"model":"stand-in","choices":[{"index":0,' +
  '"message":{"role":"assistant","content":"Quick."},"finish_reason":"stop"}],' +
  '"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}';
const POLICY = { model: { name: "demo" }, limits: { enabled: false }, relay: { cluster: "alert-relay", path: "/v1/events" } };

const OK = 0;
const NOT_FOUND = 1;
const text = new TextEncoder();
const names = new TextDecoder();

/** A host with one VM. */
class Host {
  calls = new Map();
  properties = new Map([["source\0address", "127.0.0.1:40000"], ["plugin_root_id", "modelgate"], ["xds\0node\0id", "node"], ["request\0scheme", "http"]]);
  shared = new Map();
  buffers = new Map();
  maps = new Map();
  metrics = 0;
  answered = false;

  constructor(module) {
    const env = this.#env();
    const wasi = this.#wasi();
    for (const table of [env, wasi]) {
      for (const [name, call] of Object.entries(table)) {
        table[name] = (...values) => {
          this.calls.set(name, (this.calls.get(name) ?? 0) + 1);
          return call(...values);
        };
      }
    }
    this.vm = new WebAssembly.Instance(module, { env, wasi_snapshot_preview1: wasi }).exports;
  }

  #bytes(at, length) {
    return new Uint8Array(this.vm.memory.buffer, at, length);
  }

  #word(at, value) {
    new DataView(this.vm.memory.buffer).setUint32(at, value, true);
  }

  #name(at, length) {
    return names.decode(this.#bytes(at, length));
  }

  #give(bytes, data, size) {
    if (bytes === undefined) return NOT_FOUND;
    const at = this.vm.proxy_on_memory_allocate(bytes.length);
    this.#bytes(at, bytes.length).set(bytes);
    this.#word(data, at);
    this.#word(size, bytes.length);
    return OK;
  }

  #env() {
    return {
      proxy_log: (level, at, length) => (console.error(this.#name(at, length)), OK),
      proxy_get_current_time_nanoseconds: (at) => {
        new DataView(this.vm.memory.buffer).setBigUint64(at, process.hrtime.bigint() + 1_790_000_000_000_000_000n, true);
        return OK;
      },
      proxy_set_tick_period_milliseconds: () => OK,
      proxy_done: () => OK,
      proxy_get_buffer_bytes: (kind, start, length, data, size) =>
        this.#give(this.buffers.get(kind)?.subarray(start, start + length), data, size),
      proxy_set_buffer_bytes: () => OK,
      proxy_get_header_map_pairs: (map, data, size) => this.#give(this.maps.get(map), data, size),
      proxy_get_header_map_value: () => NOT_FOUND,
      proxy_add_header_map_value: () => OK,
      proxy_remove_header_map_value: () => OK,
      proxy_get_property: (at, length, data, size) => {
        const value = this.properties.get(this.#name(at, length));
        return this.#give(value === undefined ? undefined : text.encode(value), data, size);
      },
      proxy_set_property: () => OK,
      proxy_send_local_response: (status) => ((this.answered = true), OK),
      proxy_close_stream: () => OK,
      proxy_http_call: () => OK,
      proxy_get_shared_data: (at, length, data, size, version) => {
        const value = this.shared.get(this.#name(at, length));
        if (value !== undefined) this.#word(version, 1);
        return this.#give(value, data, size);
      },
      proxy_set_shared_data: (at, length, value, size) => {
        this.shared.set(this.#name(at, length), this.#bytes(value, size).slice());
        return OK;
      },
      proxy_define_metric: (kind, at, length, id) => (this.#word(id, this.metrics++), OK),
      proxy_increment_metric: () => OK,
      proxy_record_metric: () => OK,
    };
  }

  #wasi() {
    return {
      random_get: (at, length) => (crypto.getRandomValues(this.#bytes(at, length)), OK),
      environ_get: () => OK,
      environ_sizes_get: (count, size) => (this.#word(count, 0), this.#word(size, 0), OK),
      fd_write: () => OK,
      proc_exit: (code) => {
        throw new Error(`exit ${code}`);
      },
    };
  }

  configure(policy) {
    const bytes = text.encode(JSON.stringify(policy));
    this.buffers.set(7, bytes);
    this.vm._initialize();
    this.vm.proxy_on_context_create(1, 0);
    if (!this.vm.proxy_on_configure(1, bytes.length)) throw new Error("not configured");
  }

  /** One exchange from its headers to its end. */
  exchange(id, request, body, response, answer) {
    const { vm } = this;
    this.maps.set(0, request);
    this.maps.set(2, response);
    vm.proxy_on_context_create(id, 1);
    vm.proxy_on_request_headers(id, 0, 0);
    this.buffers.set(0, body);
    vm.proxy_on_request_body(id, body.length, 0);
    vm.proxy_on_request_body(id, body.length, 1);
    vm.proxy_on_response_headers(id, 0, 0);
    this.buffers.set(1, answer);
    vm.proxy_on_response_body(id, answer.length, 0);
    vm.proxy_on_response_body(id, answer.length, 1);
    vm.proxy_on_log(id);
    vm.proxy_on_delete(id);
    if (this.answered) throw new Error("a request was refused");
  }
}

/** The host's form of headers, see envoy/src/headers.rs. */
function serialise(headers) {
  const pairs = headers.map((pair) => pair.map((value) => text.encode(value)));
  const data = pairs.flat().flatMap((value) => [...value, 0]);
  const head = new Uint32Array([pairs.length, ...pairs.flat().map((value) => value.length)]);
  return new Uint8Array([...new Uint8Array(head.buffer), ...data]);
}

const [modules, ...bodies] = process.argv.slice(2);
const answer = text.encode(QUICK_ANSWER);
const response = serialise([
  [":status", "200"],
  ["content-type", "application/json"],
  ["content-length", String(answer.length)],
  ["date", "Thu, 01 Jan 2026 00:00:00 GMT"],
  ["x-envoy-upstream-service-time", "0"],
]);
const policy = { ...POLICY, ...JSON.parse(process.env.POLICY ?? "{}") };
const hosts = modules.split(",").map((path) => {
  const host = new Host(new WebAssembly.Module(readFileSync(path)));
  host.configure(policy);
  return { path, host, next: 2 };
});

/** Microseconds of processor time an exchange, which others at work on the machine change little. */
function time(run) {
  const start = process.cpuUsage();
  let count = 0;
  let spent = 0;
  while (spent < ROUND_US) {
    for (let i = 0; i < 20; i++) run();
    count += 20;
    spent = process.cpuUsage(start).user;
  }
  return spent / count;
}

for (const path of bodies) {
  const body = new Uint8Array(readFileSync(path));
  const request = serialise([
    [":authority", "127.0.0.1:10002"],
    [":path", "/v1/chat/completions"],
    [":method", "POST"],
    [":scheme", "http"],
    ["content-type", "application/json"],
    ["content-length", String(body.length)],
    ["x-forwarded-for", "127.0.0.1"],
    ["x-forwarded-proto", "http"],
    ["x-envoy-internal", "true"],
    ["x-request-id", "5b3a6ad2-cf0c-4d23-93cd-2b8f0dbcbd5e"],
  ]);
  const run = (it) => it.host.exchange(it.next++, request, body, response, answer);
  for (const it of hosts) {
    it.times = [];
    // The first request of a VM does more.
    run(it);
    it.host.calls.clear();
    run(it);
    it.calls = [...it.host.calls].map(([name, count]) => `${name.replace("proxy_", "")} ${count}`).sort();
  }
  // In turn, so that what the machine does meanwhile happens to all of them.
  for (let round = 0; round < ROUNDS; round++) {
    for (const it of hosts) it.times.push(time(() => run(it)));
  }
  for (const it of hosts) {
    it.times.sort((a, b) => a - b);
    const [best, median] = [it.times[0], it.times[ROUNDS >> 1]].map((us) => us.toFixed(1));
    console.log(`${String(body.length).padStart(7)} bytes, ${it.path}: ${best} µs at best, ${median} at the median`);
    if (path === bodies[0]) console.log(`  host calls: ${it.calls.join(", ")}`);
  }
}

//! The functions that the host calls, under the names of proxy-wasm ABI 0.2.1; each is handed to this VM's [`Filter`].
//!
//! <https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.1>. Hosts look up what is there and do without the
//! rest, so what the filter has no use for (queues, gRPC, TCP, foreign functions) is not here, and no host needs to have
//! it.

#![expect(unsafe_code, reason = "exports under the names that the host looks for")]

use crate::{
    filter::Filter,
    host::Proxy,
    port::CallToken,
    stream::{Step, Stream},
};

thread_local! {
    static FILTER: Filter = const { Filter::new() };
}

/// What a callback about a stream's headers, body or trailers tells the host.
const CONTINUE: u32 = 0;
const PAUSE: u32 = 1;

const fn action(step: Step) -> u32 {
    match step {
        Step::Continue => CONTINUE,
        Step::Hold => PAUSE,
    }
}

/// A callback about one stream. A request that has no stream does not go on; an answer that has none does, since it is
/// the filter's own or the host's.
fn on_stream(id: u32, otherwise: Step, run: impl FnOnce(&mut Stream, &crate::plugin::Plugin) -> Step) -> u32 {
    action(FILTER.with(|filter| filter.on_stream(&Proxy, id, run)).unwrap_or(otherwise))
}

unsafe extern "C" {
    fn __wasm_call_ctors();
}

#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    // SAFETY: the host calls this once, before anything else.
    unsafe { __wasm_call_ctors() };
}

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// Memory that the host fills and hands over; see `buffer` in `host.rs`.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    Box::into_raw(Box::<[u8]>::new_uninit_slice(size)).cast()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(id: u32, root: u32) {
    FILTER.with(|filter| filter.create(id, root));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_root: u32, _length: usize) -> bool {
    true
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(root: u32, length: usize) -> bool {
    FILTER.with(|filter| filter.configure(&Proxy, root, length))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(root: u32) {
    FILTER.with(|filter| filter.tick(&Proxy, root));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(
    root: u32,
    token: u32,
    _headers: usize,
    _body: usize,
    _trailers: usize,
) {
    FILTER.with(|filter| filter.answered(&Proxy, root, CallToken(token)));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(id: u32, _count: usize, end_of_stream: bool) -> u32 {
    let step = FILTER.with(|filter| filter.request_headers(&Proxy, id, end_of_stream));
    #[cfg(feature = "crash-test")]
    crash_if_asked();
    action(step)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(id: u32, buffered: usize, end_of_stream: bool) -> u32 {
    on_stream(id, Step::Hold, |stream, plugin| stream.request_body(&Proxy, plugin, buffered, end_of_stream))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(id: u32, _count: usize) -> u32 {
    on_stream(id, Step::Hold, |stream, plugin| stream.request_trailers(&Proxy, plugin))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(id: u32, _count: usize, end_of_stream: bool) -> u32 {
    on_stream(id, Step::Continue, |stream, plugin| stream.response_headers(&Proxy, plugin, end_of_stream))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(id: u32, size: usize, end_of_stream: bool) -> u32 {
    on_stream(id, Step::Continue, |stream, plugin| stream.response_body(&Proxy, plugin, size, end_of_stream))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_trailers(id: u32, _count: usize) -> u32 {
    on_stream(id, Step::Continue, |stream, plugin| stream.response_trailers(&Proxy, plugin))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_done(id: u32) -> bool {
    FILTER.with(|filter| filter.done(&Proxy, id))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_log(id: u32) {
    FILTER.with(|filter| filter.log(&Proxy, id));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(id: u32) {
    FILTER.with(|filter| filter.delete(id));
}

/// The trap of the test build, where the request has the header.
#[cfg(feature = "crash-test")]
fn crash_if_asked() {
    use crate::port::Host as _;

    let headers = Proxy.headers(crate::port::Side::Request);
    if headers.is_ok_and(|headers| headers.first(b"x-crash-test").is_some()) {
        core::arch::wasm32::unreachable();
    }
}

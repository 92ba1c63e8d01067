//! The one file that names host calls (proxy-wasm ABI 0.2.1).
//!
//! The wrappers of the proxy-wasm SDK panic at any status they do not expect and at any text that is no UTF-8, and its
//! traits have every call of the ABI imported, which few hosts have. A panic ends the VM with all its requests. So the
//! calls that are needed are declared here, with the status as the number it is, and `abi.rs` has the other direction.

#![expect(unsafe_code, reason = "host calls are foreign functions; every one is wrapped in this file")]

use std::{env, ptr};

use crate::{
    headers::{self, HeaderMap},
    port::{Answer, Call, CallToken, Host, Level, MetricId, MetricKind, Refused, ShareError, Shared, Side},
};

mod raw {
    //! Signatures as in <https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.1>. Every call returns a
    //! status; pointers are read or written only during the call.
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        pub(super) fn proxy_log(level: u32, text: *const u8, length: usize) -> u32;
        pub(super) fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
        pub(super) fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
        pub(super) fn proxy_done() -> u32;
        pub(super) fn proxy_get_buffer_bytes(
            buffer: u32,
            start: usize,
            length: usize,
            data: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        pub(super) fn proxy_set_buffer_bytes(
            buffer: u32,
            start: usize,
            length: usize,
            data: *const u8,
            size: usize,
        ) -> u32;
        pub(super) fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
        pub(super) fn proxy_get_header_map_value(
            map: u32,
            name: *const u8,
            name_length: usize,
            data: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        pub(super) fn proxy_add_header_map_value(
            map: u32,
            name: *const u8,
            name_length: usize,
            value: *const u8,
            value_length: usize,
        ) -> u32;
        pub(super) fn proxy_remove_header_map_value(map: u32, name: *const u8, name_length: usize) -> u32;
        pub(super) fn proxy_get_property(
            path: *const u8,
            path_length: usize,
            data: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        pub(super) fn proxy_set_property(
            path: *const u8,
            path_length: usize,
            value: *const u8,
            value_length: usize,
        ) -> u32;
        pub(super) fn proxy_send_local_response(
            status: u32,
            details: *const u8,
            details_length: usize,
            body: *const u8,
            body_length: usize,
            headers: *const u8,
            headers_length: usize,
            grpc_status: i32,
        ) -> u32;
        pub(super) fn proxy_close_stream(stream: u32) -> u32;
        pub(super) fn proxy_set_effective_context(context: u32) -> u32;
        pub(super) fn proxy_http_call(
            cluster: *const u8,
            cluster_length: usize,
            headers: *const u8,
            headers_length: usize,
            body: *const u8,
            body_length: usize,
            trailers: *const u8,
            trailers_length: usize,
            timeout: u32,
            token: *mut u32,
        ) -> u32;
        pub(super) fn proxy_get_shared_data(
            key: *const u8,
            key_length: usize,
            data: *mut *mut u8,
            size: *mut usize,
            version: *mut u32,
        ) -> u32;
        pub(super) fn proxy_set_shared_data(
            key: *const u8,
            key_length: usize,
            value: *const u8,
            value_length: usize,
            version: u32,
        ) -> u32;
        pub(super) fn proxy_define_metric(
            kind: u32,
            name: *const u8,
            name_length: usize,
            id: *mut u32,
        ) -> u32;
        pub(super) fn proxy_increment_metric(id: u32, by: i64) -> u32;
        pub(super) fn proxy_record_metric(id: u32, value: u64) -> u32;
    }
}

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const CAS_MISMATCH: u32 = 8;
const UNIMPLEMENTED: u32 = 12;

const BUFFER_REQUEST_BODY: u32 = 0;
const BUFFER_RESPONSE_BODY: u32 = 1;
const BUFFER_CALL_RESPONSE_BODY: u32 = 4;
const BUFFER_PLUGIN_CONFIGURATION: u32 = 7;
const MAP_REQUEST_HEADERS: u32 = 0;
const MAP_RESPONSE_HEADERS: u32 = 2;
const MAP_CALL_RESPONSE_HEADERS: u32 = 6;
const STREAM_HTTP_REQUEST: u32 = 0;
/// Bytes of a page of wasm memory.
const WASM_PAGE: u64 = 65_536;
const NO_GRPC_STATUS: i32 = -1;

/// Envoy, or another host of the same ABI.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proxy;

/// Turns a status into a result.
const fn done(call: &'static str, status: u32) -> Result<(), Refused> {
    if status == OK { Ok(()) } else { Err(Refused { call, status }) }
}

/// Runs a call that hands out a buffer; `None` where the host says that there is none.
fn buffer(
    call: &'static str,
    run: impl FnOnce(*mut *mut u8, *mut usize) -> u32,
) -> Result<Option<Vec<u8>>, Refused> {
    let (mut data, mut size) = (ptr::null_mut(), 0);
    match run(&raw mut data, &raw mut size) {
        OK if data.is_null() => Ok(Some(Vec::new())),
        // SAFETY: the host got the memory for `size` bytes from our `proxy_on_memory_allocate`, which
        // takes it from the global allocator as a boxed slice of that length, filled it, and gives it up here.
        OK => Ok(Some(unsafe { Vec::from_raw_parts(data, size, size) })),
        NOT_FOUND => Ok(None),
        status => Err(Refused { call, status }),
    }
}

fn bytes_of(buffer_kind: u32, length: usize) -> Result<Vec<u8>, Refused> {
    let bytes = buffer("proxy_get_buffer_bytes", |data, size| {
        // SAFETY: `data` and `size` are valid for the call.
        unsafe { raw::proxy_get_buffer_bytes(buffer_kind, 0, length, data, size) }
    })?;
    Ok(bytes.unwrap_or_default())
}

const fn map_of(side: Side) -> u32 {
    match side {
        Side::Request => MAP_REQUEST_HEADERS,
        Side::Response => MAP_RESPONSE_HEADERS,
    }
}

const fn body_of(side: Side) -> u32 {
    match side {
        Side::Request => BUFFER_REQUEST_BODY,
        Side::Response => BUFFER_RESPONSE_BODY,
    }
}

impl Host for Proxy {
    fn clock_ns(&self) -> u64 {
        let mut nanoseconds = 0;
        // SAFETY: the pointer is valid for the call.
        unsafe { raw::proxy_get_current_time_nanoseconds(&raw mut nanoseconds) };
        nanoseconds
    }

    fn memory(&self) -> u64 {
        u64::try_from(core::arch::wasm32::memory_size::<0>()).unwrap_or(0).saturating_mul(WASM_PAGE)
    }

    fn log(&self, level: Level, line: &str) {
        let level = match level {
            Level::Warn => 3,
            Level::Error => 4,
        };
        // SAFETY: the pointer is valid for the call. A refused line has nowhere to be reported.
        unsafe { raw::proxy_log(level, line.as_ptr(), line.len()) };
    }

    fn variable(&self, name: &str) -> Option<String> {
        env::var(name).ok()
    }

    fn configuration(&self, length: usize) -> Result<Vec<u8>, Refused> {
        bytes_of(BUFFER_PLUGIN_CONFIGURATION, length)
    }

    fn tick_every(&self, period_ms: u32) -> Result<(), Refused> {
        // SAFETY: takes numbers only.
        done("proxy_set_tick_period_milliseconds", unsafe {
            raw::proxy_set_tick_period_milliseconds(period_ms)
        })
    }

    fn done(&self) -> Result<(), Refused> {
        // SAFETY: takes nothing.
        done("proxy_done", unsafe { raw::proxy_done() })
    }

    fn headers(&self, side: Side) -> Result<HeaderMap, Refused> {
        let call = "proxy_get_header_map_pairs";
        // SAFETY: the pointers are valid for the call.
        let bytes =
            buffer(call, |data, size| unsafe { raw::proxy_get_header_map_pairs(map_of(side), data, size) })?;
        bytes.and_then(HeaderMap::parse).ok_or(Refused { call, status: OK })
    }

    fn add_header(&self, side: Side, name: &str, value: &str) -> Result<(), Refused> {
        // SAFETY: the pointers are valid for the call.
        let status = unsafe {
            raw::proxy_add_header_map_value(
                map_of(side),
                name.as_ptr(),
                name.len(),
                value.as_ptr(),
                value.len(),
            )
        };
        done("proxy_add_header_map_value", status)
    }

    fn remove_header(&self, side: Side, name: &[u8]) -> Result<(), Refused> {
        // SAFETY: the pointer is valid for the call.
        let status = unsafe { raw::proxy_remove_header_map_value(map_of(side), name.as_ptr(), name.len()) };
        done("proxy_remove_header_map_value", status)
    }

    fn body(&self, side: Side, length: usize) -> Result<Vec<u8>, Refused> {
        bytes_of(body_of(side), length)
    }

    fn replace_body(&self, side: Side, length: usize, body: &[u8]) -> Result<(), Refused> {
        // SAFETY: the pointer is valid for the call.
        let status =
            unsafe { raw::proxy_set_buffer_bytes(body_of(side), 0, length, body.as_ptr(), body.len()) };
        done("proxy_set_buffer_bytes", status)
    }

    fn property(&self, path: &[&str]) -> Result<Option<Vec<u8>>, Refused> {
        let path = path.join("\0");
        buffer("proxy_get_property", |data, size| {
            // SAFETY: the pointers are valid for the call.
            unsafe { raw::proxy_get_property(path.as_ptr(), path.len(), data, size) }
        })
    }

    fn set_property(&self, name: &str, value: &[u8]) -> Result<(), Refused> {
        // SAFETY: the pointers are valid for the call.
        let status =
            unsafe { raw::proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
        done("proxy_set_property", status)
    }

    fn answer(&self, answer: Answer<'_>) -> Result<(), Refused> {
        let pairs = answer.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let headers = headers::serialise(pairs);
        // SAFETY: the pointers are valid for the call.
        let status = unsafe {
            raw::proxy_send_local_response(
                u32::from(answer.status),
                answer.details.as_ptr(),
                answer.details.len(),
                answer.body.as_ptr(),
                answer.body.len(),
                headers.as_ptr(),
                headers.len(),
                NO_GRPC_STATUS,
            )
        };
        done("proxy_send_local_response", status)
    }

    fn reset(&self) -> Result<(), Refused> {
        if cfg!(feature = "portable") {
            return Err(Refused { call: "proxy_close_stream", status: UNIMPLEMENTED });
        }
        // SAFETY: takes numbers only.
        done("proxy_close_stream", unsafe { raw::proxy_close_stream(STREAM_HTTP_REQUEST) })
    }

    fn reset_other(&self, stream: u32, root: u32) -> Result<(), Refused> {
        if cfg!(feature = "portable") {
            return Err(Refused { call: "proxy_set_effective_context", status: UNIMPLEMENTED });
        }
        // SAFETY: takes numbers only; the host refuses one that it does not know.
        let of = |context| unsafe { raw::proxy_set_effective_context(context) };
        done("proxy_set_effective_context", of(stream))?;
        let reset = self.reset();
        done("proxy_set_effective_context", of(root)).and(reset)
    }

    fn shared(&self, key: &str) -> Result<Option<Shared>, Refused> {
        let mut version = 0;
        let value = buffer("proxy_get_shared_data", |data, size| {
            // SAFETY: the pointers are valid for the call.
            unsafe { raw::proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut version) }
        })?;
        Ok(value.map(|value| (value, version)))
    }

    fn share(&self, key: &str, value: &[u8], version: u32) -> Result<(), ShareError> {
        // SAFETY: the pointers are valid for the call.
        let status = unsafe {
            raw::proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), version)
        };
        match status {
            CAS_MISMATCH => Err(ShareError::Conflict),
            status => done("proxy_set_shared_data", status).map_err(ShareError::Refused),
        }
    }

    fn metric(&self, kind: MetricKind, name: &str) -> Result<MetricId, Refused> {
        if cfg!(feature = "portable") {
            return Err(Refused { call: "proxy_define_metric", status: UNIMPLEMENTED });
        }
        let kind = match kind {
            MetricKind::Counter => 0,
            MetricKind::Gauge => 1,
            MetricKind::Histogram => 2,
        };
        let mut id = 0;
        // SAFETY: the pointers are valid for the call.
        let status = unsafe { raw::proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut id) };
        done("proxy_define_metric", status).map(|()| MetricId(id))
    }

    fn count(&self, counter: MetricId, by: u64) {
        if cfg!(feature = "portable") {
            return;
        }
        let by = i64::try_from(by).unwrap_or(i64::MAX);
        // SAFETY: takes numbers only. A count that the host refuses has nowhere to be reported.
        unsafe { raw::proxy_increment_metric(counter.0, by) };
    }

    fn record(&self, metric: MetricId, value: u64) {
        if cfg!(feature = "portable") {
            return;
        }
        // SAFETY: takes numbers only. As above.
        unsafe { raw::proxy_record_metric(metric.0, value) };
    }

    fn call(&self, call: Call<'_>) -> Result<CallToken, Refused> {
        let pseudo = [(":method", call.method), (":path", call.path), (":authority", call.cluster)];
        let further = call.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let headers = pseudo.into_iter().chain(further);
        let headers = headers::serialise(headers.map(|(name, value)| (name.as_bytes(), value.as_bytes())));
        let trailers = headers::serialise([]);
        let mut token = 0;
        // SAFETY: the pointers are valid for the call.
        let status = unsafe {
            raw::proxy_http_call(
                call.cluster.as_ptr(),
                call.cluster.len(),
                headers.as_ptr(),
                headers.len(),
                call.body.as_ptr(),
                call.body.len(),
                trailers.as_ptr(),
                trailers.len(),
                call.timeout_ms,
                &raw mut token,
            )
        };
        done("proxy_http_call", status).map(|()| CallToken(token))
    }

    fn call_status(&self) -> Option<u16> {
        self.call_header(":status")?.parse().ok()
    }

    fn call_header(&self, name: &str) -> Option<String> {
        let value = buffer("proxy_get_header_map_value", |data, size| {
            // SAFETY: the pointers are valid for the call.
            unsafe {
                raw::proxy_get_header_map_value(
                    MAP_CALL_RESPONSE_HEADERS,
                    name.as_ptr(),
                    name.len(),
                    data,
                    size,
                )
            }
        });
        String::from_utf8(value.ok()??).ok()
    }

    fn call_body(&self, length: usize) -> Result<Vec<u8>, Refused> {
        bytes_of(BUFFER_CALL_RESPONSE_BODY, length)
    }
}

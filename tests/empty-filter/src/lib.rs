//! A proxy-wasm filter that does nothing: the baseline that `cargo xtask bench` measures Modelgate against.
//!
//! It takes part in every callback of an HTTP stream, as any filter built on the SDK does, and answers `Continue`.

use proxy_wasm::{
    traits::{Context, HttpContext, RootContext},
    types::ContextType,
};

mod start {
    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| Box::new(super::EmptyRoot));
    }}
}

struct EmptyRoot;

impl Context for EmptyRoot {}

impl RootContext for EmptyRoot {
    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(EmptyStream))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct EmptyStream;

impl Context for EmptyStream {}

impl HttpContext for EmptyStream {}

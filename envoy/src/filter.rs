//! The contexts that the SDK's dispatcher calls. They translate and do nothing else.

use std::rc::Rc;

use proxy_wasm::{
    traits::{Context, HttpContext, RootContext},
    types::{Action, ContextType},
};

use crate::{
    host::Proxy,
    plugin::Plugin,
    port::{CallToken, Host as _, Level, Refused},
    stream::{Step, Stream},
};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(proxy_wasm::types::LogLevel::Critical);
    proxy_wasm::set_root_context(|_| Box::new(Root { plugin: None }));
}}

/// The root context: one for each configuration in each VM.
struct Root {
    plugin: Option<Rc<Plugin>>,
}

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, _headers: usize, _body: usize, _trailers: usize) {
        if let Some(plugin) = &self.plugin {
            plugin.answered(&Proxy, CallToken(token));
        }
    }

    fn on_done(&mut self) -> bool {
        self.plugin.as_ref().is_none_or(|plugin| plugin.retire(&Proxy))
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, length: usize) -> bool {
        let configured = Proxy
            .configuration(length)
            .map_err(|refused| refused.to_string())
            .and_then(|json| Plugin::configure(&Proxy, &json).map_err(|unusable| unusable.to_string()));
        match configured {
            Ok(plugin) => {
                self.plugin = Some(Rc::new(plugin));
                true
            }
            Err(reason) => {
                Proxy.log(Level::Error, &format!("modelgate is not configured: {reason}"));
                false
            }
        }
    }

    fn on_tick(&mut self) {
        if let Some(plugin) = &self.plugin {
            plugin.tick(&Proxy);
        }
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Http { plugin: self.plugin.clone(), stream: Stream::default() }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// The context of one HTTP stream.
struct Http {
    plugin: Option<Rc<Plugin>>,
    stream: Stream,
}

const fn action(step: Step) -> Action {
    match step {
        Step::Continue => Action::Continue,
        Step::Hold => Action::Pause,
    }
}

impl Http {
    /// Runs a callback and adds its time to the guard's own.
    fn timed<T>(&mut self, run: impl FnOnce(&mut Stream, &Plugin) -> T) -> Option<T> {
        let plugin = self.plugin.as_ref()?;
        let start_ns = Proxy.clock_ns();
        let result = run(&mut self.stream, plugin);
        self.stream.spend(&Proxy, start_ns);
        Some(result)
    }
}

impl Context for Http {}

impl HttpContext for Http {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        #[cfg(feature = "crash-test")]
        crash_if_asked();
        let step = self.timed(|stream, plugin| stream.request_headers(&Proxy, plugin, end_of_stream));
        let refused = Refused { call: "proxy_on_configure", status: 0 };
        action(step.unwrap_or_else(|| self.stream.fail(&Proxy, None, refused)))
    }

    fn on_http_request_body(&mut self, buffered: usize, end_of_stream: bool) -> Action {
        let step = self.timed(|stream, plugin| stream.request_body(&Proxy, plugin, buffered, end_of_stream));
        step.map_or(Action::Pause, action)
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        self.timed(|stream, plugin| stream.request_trailers(&Proxy, plugin)).map_or(Action::Pause, action)
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        self.timed(|stream, plugin| stream.response_headers(&Proxy, plugin));
        Action::Continue
    }

    fn on_log(&mut self) {
        if let Some(plugin) = &self.plugin {
            self.stream.end(&Proxy, plugin);
        }
    }
}

/// The trap of the test build, where the request has the header.
#[cfg(feature = "crash-test")]
fn crash_if_asked() {
    let headers = Proxy.headers(crate::port::Side::Request);
    if headers.is_ok_and(|headers| headers.first(b"x-crash-test").is_some()) {
        core::arch::wasm32::unreachable();
    }
}

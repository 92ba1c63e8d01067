//! Answers to failures that are nobody's verdict, in the words of the caller's protocol.

use guard::{
    Guard, Outcome, Reply,
    wire::{EventId, Score, Verdict},
};

/// What failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The model's host cannot be reached.
    Upstream,
    /// The guard itself; without it nothing passes.
    Guard,
}

impl Failure {
    /// The HTTP status.
    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::Upstream => 502,
            Self::Guard => 503,
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Upstream => "upstream_unavailable",
            Self::Guard => "guard_unavailable",
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Self::Upstream => "The model cannot be reached at the moment. Please try again.",
            Self::Guard => "The request cannot be checked at the moment. Please try again.",
        }
    }

    /// The JSON body for a caller that asked for this path.
    pub(crate) fn body(self, guard: &Guard, path: &str) -> String {
        guard.failure_body(path, self.status(), self.code(), self.message())
    }
}

/// The refusal of a request that the guard could not check.
pub(crate) fn outcome(guard: &Guard, path: &str, event: Option<EventId>) -> Outcome {
    let mut headers = vec![("x-modelgate-verdict", Verdict::Block.as_str().to_string())];
    headers.extend(event.map(|id| ("x-modelgate-event", id.to_string())));
    let reply = Reply {
        status: Failure::Guard.status(),
        content_type: "application/json",
        body: Failure::Guard.body(guard, path),
        headers: headers.clone(),
    };
    Outcome {
        verdict: Verdict::Block,
        score: Score::ONE,
        reply: Some(reply),
        headers,
        findings: Vec::new(),
        forward: guard::Forward::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guard::wire::Surface;

    fn body(failure: Failure, path: &str) -> serde_json::Value {
        let guard = Guard::from_json(br#"{"model":{"name":"demo"}}"#, None, Surface::Edge, "").unwrap();
        serde_json::from_str(&failure.body(&guard, path)).unwrap()
    }

    #[test]
    fn a_failure_is_told_in_the_protocol_of_the_path() {
        let openai = body(Failure::Upstream, "/v1/chat/completions");
        assert_eq!(openai["error"]["type"], "server_error");
        assert_eq!(openai["error"]["code"], "upstream_unavailable");
        assert_eq!(body(Failure::Guard, "/v1/messages")["error"]["type"], "api_error");
        assert!(body(Failure::Guard, "/v2/models/iris/infer")["error"].is_string());
        assert_eq!(body(Failure::Guard, "/anything")["error"]["code"], "guard_unavailable");
    }
}

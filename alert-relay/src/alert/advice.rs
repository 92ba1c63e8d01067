//! What each category is called, and what a person should do about it.

use wire::Category;

/// The category as a heading.
pub(crate) const fn title(category: Category) -> &'static str {
    match category {
        Category::PromptInjection => "Prompt injection",
        Category::Jailbreak => "Jailbreak attempt",
        Category::PromptExtraction => "Prompt extraction",
        Category::Secret => "Credential in a request",
        Category::Pii => "Personal data in a request",
        Category::Exfiltration => "Data exfiltration",
        Category::WebPayload => "Web attack payload",
        Category::Structure => "Adversarial text",
        Category::Tensor => "Adversarial numeric input",
        Category::InvalidInput => "Invalid input",
        Category::Unscannable => "Input that could not be inspected",
        Category::RateLimit => "Request limit exceeded",
        Category::Authentication => "Authentication failures",
        Category::Guard => "The guard itself",
        Category::Other => "Security event",
    }
}

/// Steps for the reader, the most urgent first.
pub(crate) const fn steps(category: Category) -> &'static [&'static str] {
    match category {
        Category::PromptInjection => &[
            "Find out whether the caller is a person trying things, or an application passing on text from a \
             document, a web page or a tool that carries the attack.",
            "If requests were let through, read what the model answered and which tools it called.",
            "If it goes on, block the key or address, and tell the application's owner.",
        ],
        Category::Jailbreak => &[
            "Look at the number of attempts: a single one is often curiosity, many with small changes are a search.",
            "If requests were let through, read the model's answers for content that must not leave.",
            "If it goes on, block the key or address.",
        ],
        Category::PromptExtraction => &[
            "If requests were let through, check whether an answer shows parts of the system prompt.",
            "Treat what stands in the system prompt as public: move credentials and internal names out of it.",
            "If it goes on, block the key or address.",
        ],
        Category::Secret => &[
            "Revoke and replace the credential: whoever runs the model or its logs may have seen it.",
            "Tell the caller's owner, so that it is no longer put into prompts.",
            "Search the logs of the time between its first use and now for uses of the credential by others.",
        ],
        Category::Pii => &[
            "Find out whether the caller may send such data to this model.",
            "If not, tell the application's owner, and have the data removed from the model provider's logs.",
        ],
        Category::Exfiltration => &[
            "Find the conversation, and what data the answer tried to carry out.",
            "Look for the document or tool result that told the model to do so, and remove it.",
            "Check the address's logs for requests that did get out.",
        ],
        Category::WebPayload => &[
            "Check that whatever shows or runs the model's answers escapes them.",
            "If it goes on, block the key or address.",
        ],
        Category::Structure => &[
            "Look at the cost: such texts also serve to use up tokens.",
            "If it goes on, throttle or block the key or address.",
        ],
        Category::Tensor => &[
            "Ask the caller's owner: a broken sensor or preprocessing step looks like an attack.",
            "Compare with the model's training range; if the limits are too tight, change the policy.",
            "If inputs near the limits keep coming, treat it as probing, and block the key or address.",
        ],
        Category::InvalidInput => &[
            "Ask the caller's owner: most often this is a client that is broken or out of date.",
            "If sizes or forms vary from request to request, treat it as probing.",
        ],
        Category::Unscannable => &[
            "Find out why the caller sends what cannot be read: compression, an unknown type or a broken encoding.",
            "Decide in the policy what happens to that kind, so that it is no way around the guard.",
        ],
        Category::RateLimit => &[
            "Find out whether the caller is a job that grew, a retry loop, or somebody copying the model.",
            "Raise the limit for known callers in the policy; block the others.",
        ],
        Category::Authentication => &[
            "Look whether one address tries many keys, or many addresses one key.",
            "Block the address; replace the key if it may be known.",
        ],
        Category::Guard => &[
            "Look at the health of the filters and of the relay: what they could not report is not in this mail.",
            "Check the queue and the network between them; compare with the proxy's own metrics.",
        ],
        Category::Other => &[
            "Look at the events in the incident, and at the policy's rule that reported them.",
            "Bring the relay up to date if it does not know the category.",
        ],
    }
}

//! Where things are.

use std::{
    env,
    path::{Path, PathBuf},
};

/// The folders of the repository and of what is built from it.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The repository.
    pub root: PathBuf,
    /// cargo's target folder: `target/` or `CARGO_TARGET_DIR`.
    pub target: PathBuf,
    /// What is built for use: `target/dist`.
    pub dist: PathBuf,
    /// What was fetched: `target/tools`.
    pub tools: PathBuf,
}

impl Paths {
    /// The folders of the workspace this crate was compiled in.
    #[must_use]
    pub fn find() -> Self {
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new(".")).to_owned();
        // cargo reads a relative CARGO_TARGET_DIR from where it was called.
        let target = match env::var_os("CARGO_TARGET_DIR").filter(|dir| !dir.is_empty()) {
            Some(dir) => std::path::absolute(&dir).unwrap_or_else(|_| dir.into()),
            None => root.join("target"),
        };
        let (dist, tools) = (target.join("dist"), target.join("tools"));
        Self { root, target, dist, tools }
    }

    /// The filter for Envoy.
    #[must_use]
    pub fn filter(&self) -> PathBuf {
        self.dist.join("modelgate.wasm")
    }

    /// The filter for hosts that lack some of Envoy's calls; only `cargo xtask dist` builds it.
    #[must_use]
    pub fn portable_filter(&self) -> PathBuf {
        self.dist.join("modelgate-portable.wasm")
    }

    /// A variant of the filter that only tests load, by the name of its cargo feature.
    #[must_use]
    pub fn test_filter(&self, feature: &str) -> PathBuf {
        self.target.join("test-filters").join(format!("{feature}.wasm"))
    }

    /// The edge worker's wasm that traps when it is asked to, with its JavaScript.
    #[must_use]
    pub fn test_edge(&self) -> PathBuf {
        self.target.join("test-filters/edge-trap")
    }

    /// The filter that does nothing.
    #[must_use]
    pub fn empty_filter(&self) -> PathBuf {
        self.dist.join("empty_filter.wasm")
    }

    /// The edge worker's modules.
    #[must_use]
    pub fn edge_worker(&self) -> PathBuf {
        self.dist.join("edge-worker")
    }

    /// The data of the demo: `target/demo`.
    #[must_use]
    pub fn demo(&self) -> PathBuf {
        self.target.join("demo")
    }

    /// The virtual environment for Python.
    #[must_use]
    pub fn venv(&self) -> PathBuf {
        self.tools.join("venv")
    }

    /// The Python of the virtual environment, with the `openai` package.
    #[must_use]
    pub fn python(&self) -> PathBuf {
        self.venv().join("bin").join("python")
    }

    /// The folder whose `node_modules` has the SDKs.
    #[must_use]
    pub fn node(&self) -> PathBuf {
        self.tools.join("node")
    }
}

/// `path` as it reads from the repository, for messages.
#[must_use]
pub fn shown<'a>(paths: &Paths, path: &'a Path) -> std::path::Display<'a> {
    path.strip_prefix(&paths.root).unwrap_or(path).display()
}

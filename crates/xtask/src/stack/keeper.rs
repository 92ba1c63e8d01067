//! Ends our processes when we end without a chance to do so ourselves (SIGKILL, an abort, the end of a test binary).
//!
//! A small shell reads on a pipe which process groups exist. When the pipe's other end, ours, is gone, it ends those
//! that were not taken back.

use std::{
    io::Write as _,
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context as _, Result};

const SCRIPT: &str = r#"
groups=" "
while read -r op group; do
    case $op in
        +) groups="$groups$group " ;;
        -) case $groups in *" $group "*) groups="${groups%% $group *} ${groups#* $group }" ;; esac ;;
    esac
done
for group in $groups; do kill -TERM -- "-$group" 2>/dev/null; done
for _ in 1 2 3 4 5 6 7 8 9 10; do
    alive=
    for group in $groups; do kill -0 -- "-$group" 2>/dev/null && alive=1; done
    [ -n "$alive" ] || exit 0
    sleep 0.3
done
for group in $groups; do kill -KILL -- "-$group" 2>/dev/null; done
"#;

static KEEPER: Mutex<Option<Child>> = Mutex::new(None);

/// From now on `group` ends with us.
///
/// # Errors
/// When the keeper cannot be started.
pub(super) fn add(group: u32) -> Result<()> {
    tell('+', group)
}

/// `group` has ended.
pub(super) fn remove(group: u32) {
    // A keeper that is gone has nothing to forget.
    let _ = tell('-', group);
}

fn tell(op: char, group: u32) -> Result<()> {
    let mut keeper = KEEPER.lock().unwrap_or_else(PoisonError::into_inner);
    let mut child = match keeper.take() {
        Some(child) => child,
        None => start()?,
    };
    let told = child
        .stdin
        .as_mut()
        .context("the keeper's pipe")
        .and_then(|pipe| writeln!(pipe, "{op} {group}").context("telling the keeper"));
    *keeper = Some(child);
    told
}

fn start() -> Result<Child> {
    Command::new("/bin/sh")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Not of our group: a Ctrl-C must not reach it.
        .process_group(0)
        .spawn()
        .context("starting /bin/sh")
}

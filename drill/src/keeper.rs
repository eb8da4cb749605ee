//! The keeper: a small shell that ends and removes everything once the drill has ended, however it ended.
//!
//! It reads from a pipe whose other end only the drill holds. When that end closes, because the drill closed it or
//! because the drill was killed, the keeper ends every process of the sites and takes away what was made.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};

/// `$1` is the work folder, `$2` the control group or nothing, `$3` says whether the folder goes; then the names of
/// network namespaces. A process is one of ours by its control group, else by where it works: in our folder.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
folder=$1; group=$2; remove=$3; shift 3
while read -r _; do :; done
if [ -n "$group" ] && [ -d "$group" ]; then
  echo 1 >"$group/cgroup.kill"
  while grep -q '^populated 1' "$group/cgroup.events"; do sleep 0.05; done
  for inner in "$group"/*/; do [ -d "$inner" ] && rmdir "$inner"; done
  rmdir "$group"
fi
left=1
while [ -n "$left" ]; do
  left=
  for process in /proc/[0-9]*; do
    case $(readlink "$process/cwd") in
      "$folder"/*) grep -q '^State:.*Z' "$process/status" || { kill -KILL "${process#/proc/}"; left=1; } ;;
    esac
  done
done
for name in "$@"; do ip netns delete "$name"; done
for place in "$folder"/*/postgres; do umount --lazy "$place"; done
[ "$remove" = yes ] && rm -rf "$folder"
exit 0
"#;

/// Waits for our end. Dropping it ends the sites at once and waits until they are gone.
pub(crate) struct Keeper {
    shell: Child,
}

impl Keeper {
    /// Starts it, before there is anything to keep.
    pub(crate) fn start(
        folder: &Path,
        group: Option<&Path>,
        removes_folder: bool,
        namespaces: &[String],
    ) -> Result<Self> {
        let shell = Command::new("sh")
            .args(["-c", SCRIPT, "haechi-drill-keeper"])
            .arg(folder)
            .arg(group.unwrap_or_else(|| Path::new("")))
            .arg(if removes_folder { "yes" } else { "no" })
            .args(namespaces)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A Ctrl-C in the terminal is for the drill; the keeper has work to do after it.
            .process_group(0)
            .spawn()
            .context("cannot run sh")?;
        Ok(Self { shell })
    }

    fn end(&mut self) -> io::Result<()> {
        drop(self.shell.stdin.take());
        self.shell.wait().map(drop)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("the drill's sites may still be running: {error}");
        }
    }
}

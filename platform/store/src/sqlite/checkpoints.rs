//! Moving the write-ahead log into the file. SQLite does it within a COMMIT by default, and whoever writes waits for it;
//! here a thread does it beside the writer.
//!
//! The log begins anew once all of it was moved. Beside a busy writer a thread never gets there: while it moves, the
//! log grows on. So the thread moves nearly all, and the writer, between two groups, the little that came since.

use std::ffi::c_int;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use rusqlite::hooks::Wal;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, DEFAULT_NAME};

use super::connection::open_checkpointer;
use crate::StoreError;

/// Pages that the log takes until they are moved: 16 MiB. One that was written often is moved once.
const LOG_PAGES: u32 = 4_000;

/// So few may be left to the writer: 1 MiB.
const REST_PAGES: u32 = 256;

/// How often the thread moves what came while it moved, to come down to that. The writer is left the rest in any case,
/// so that the log ends somewhere also where the disk is slower than the writer.
const PASSES_MAX: u32 = 4;

/// What the writer knows of the log, and the way to the thread, which ends when this is dropped.
pub(super) struct Checkpoints {
    /// Pages in the log, as of the writer's last commit.
    log_pages: Arc<AtomicU32>,
    /// How many there were when they were last moved. While a reader needs them the log goes on after them.
    moved_pages: u32,
    is_under_way: bool,
    is_nearly_done: Arc<AtomicBool>,
    ask: SyncSender<()>,
}

impl Checkpoints {
    /// Takes the work from the writer's COMMIT, and starts the thread.
    pub(super) fn start(writer: &mut Connection, path: &Path) -> Result<Self, StoreError> {
        let connection = open_checkpointer(path)?;
        let log_pages = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&log_pages);
        let count = move |_: &mut Wal, pages: c_int| {
            counted.store(pages.unsigned_abs(), Ordering::Relaxed);
            Ok(())
        };
        // It takes the place of SQLite's own, which moves the log.
        writer
            .wal_hook(Some(count))
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let (ask, asked) = sync_channel(1);
        let thread = Thread {
            connection,
            log_pages: Arc::clone(&log_pages),
            is_nearly_done: Arc::new(AtomicBool::new(false)),
        };
        let is_nearly_done = Arc::clone(&thread.is_nearly_done);
        thread::Builder::new()
            .name("store-checkpoints".to_owned())
            .spawn(move || thread.run(&asked))
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self {
            log_pages,
            moved_pages: 0,
            is_under_way: false,
            is_nearly_done,
            ask,
        })
    }

    /// To be called between two groups of writes: has the log moved, or ends that.
    pub(super) fn after_group(&mut self, writer: &Connection) {
        let pages = self.log_pages.load(Ordering::Relaxed);
        if self.is_under_way {
            if self.is_nearly_done.swap(false, Ordering::Acquire) {
                move_log(writer);
                self.moved_pages = pages;
                self.is_under_way = false;
            }
            return;
        }
        // Fewer than before: it began anew.
        let grown = pages.checked_sub(self.moved_pages).unwrap_or(pages);
        if grown >= LOG_PAGES {
            self.is_under_way = self.ask.try_send(()).is_ok();
        }
    }
}

/// What the thread works with.
struct Thread {
    connection: Connection,
    log_pages: Arc<AtomicU32>,
    is_nearly_done: Arc<AtomicBool>,
}

impl Thread {
    fn run(&self, asked: &Receiver<()>) {
        while asked.recv().is_ok() {
            for _ in 0..PASSES_MAX {
                let moved = move_log(&self.connection);
                let rest = self.log_pages.load(Ordering::Relaxed).saturating_sub(moved);
                if rest <= REST_PAGES {
                    break;
                }
            }
            self.is_nearly_done.store(true, Ordering::Release);
        }
    }
}

/// Moves what no reader needs in its place, and tells how many pages of the log are moved by now. It waits for nobody,
/// and what fails is left in the log, where it is as safe.
fn move_log(connection: &Connection) -> u32 {
    match connection.wal_checkpoint_v2(DEFAULT_NAME, CheckpointMode::PASSIVE) {
        Ok((_, moved)) => moved.try_into().unwrap_or_default(),
        Err(error) => {
            tracing::warn!(%error, "the write-ahead log was not moved into the file");
            0
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::{Duration, Instant};

    use tempfile::TempDir;

    use super::super::connection::{open_reader, open_writer};
    use super::*;

    /// A file, who writes to it, and its checkpoints.
    struct File {
        folder: TempDir,
        writer: Connection,
        checkpoints: Checkpoints,
    }

    impl File {
        fn new() -> Self {
            let folder = TempDir::new().unwrap();
            let path = folder.path().join("store.sqlite");
            let mut writer = open_writer(&path).unwrap();
            let checkpoints = Checkpoints::start(&mut writer, &path).unwrap();
            writer.execute_batch("CREATE TABLE note (body BLOB)").unwrap();
            Self {
                folder,
                writer,
                checkpoints,
            }
        }

        /// Writes about so many pages in one commit, and does what follows a group.
        fn write(&mut self, pages: u32) {
            let body = vec![7_u8; pages as usize * 4_096];
            self.writer
                .execute("INSERT INTO note VALUES ($1)", [body])
                .unwrap();
            self.checkpoints.after_group(&self.writer);
        }

        fn log_pages(&self) -> u32 {
            self.checkpoints.log_pages.load(Ordering::Relaxed)
        }

        /// Waits until the log was moved.
        fn finish(&mut self) {
            let end = Instant::now() + Duration::from_secs(30);
            while self.checkpoints.is_under_way {
                assert!(Instant::now() < end, "the thread does not come to its end");
                thread::yield_now();
                self.checkpoints.after_group(&self.writer);
            }
        }

        fn file_bytes(&self) -> u64 {
            self.folder.path().join("store.sqlite").metadata().unwrap().len()
        }
    }

    #[test]
    fn a_commit_moves_nothing_and_the_log_begins_anew_once_it_was_moved() {
        let mut file = File::new();
        let empty = file.file_bytes();
        file.write(LOG_PAGES - 500);
        assert!(!file.checkpoints.is_under_way);
        assert_eq!(file.file_bytes(), empty);

        file.write(1_000);
        assert!(file.checkpoints.is_under_way);
        file.finish();
        assert!(file.file_bytes() > u64::from(LOG_PAGES) * 4_096);
        file.write(1);
        assert!(file.log_pages() < 100, "{}", file.log_pages());
    }

    #[test]
    fn what_is_written_meanwhile_is_moved_too() {
        let mut file = File::new();
        file.write(LOG_PAGES);
        // The thread is at it, or was: these come after its first look.
        while file.checkpoints.is_under_way {
            file.write(10);
        }
        file.write(1);
        assert!(file.log_pages() < 100, "{}", file.log_pages());
    }

    #[test]
    fn a_reader_holds_the_log_and_the_next_time_it_begins_anew() {
        let mut file = File::new();
        let reader = open_reader(&file.folder.path().join("store.sqlite")).unwrap();
        reader.execute_batch("BEGIN").unwrap();
        reader
            .query_row("SELECT COUNT(*) FROM note", [], |_| Ok(()))
            .unwrap();
        file.write(LOG_PAGES);
        file.finish();
        file.write(1);
        assert!(file.log_pages() > LOG_PAGES, "the reader needs it");
        assert!(!file.checkpoints.is_under_way, "not tried again at once");

        reader.execute_batch("COMMIT").unwrap();
        file.write(LOG_PAGES);
        assert!(file.checkpoints.is_under_way);
        file.finish();
        file.write(1);
        assert!(file.log_pages() < 100, "{}", file.log_pages());
    }
}

//! Moving the write-ahead log into the file. SQLite does it within a COMMIT by default, and whoever writes waits for it;
//! here a thread does it beside the writer.
//!
//! The log begins anew once all of it was moved and nobody reads in it. Beside a busy writer a thread never gets there:
//! while it moves, the log grows on. So the thread moves nearly all, and the writer, between two groups, what came since.

use std::ffi::c_int;
use std::fs::File;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::hooks::Wal;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, DEFAULT_NAME, ErrorCode};

use super::connection::{OTHER_PROCESS_WAIT, open_checkpointer};
use crate::StoreError;

/// Pages that the log takes until they are moved: 16 MiB. One that was written often is moved once.
const LOG_PAGES: u32 = 4_000;

/// So few may be left to the writer: 1 MiB.
const REST_PAGES: u32 = 256;

/// How often the thread moves what came while it moved, to come down to that. The writer is left the rest in any case,
/// so that the log ends somewhere also where the disk is slower than the writer.
const PASSES_MAX: u32 = 4;

/// How long the writer waits for those who read in the log, so that it can begin anew: the shortest, once more of it for
/// each time that the log has grown by so much in vain, up to the longest. Whoever reads for longer, as a backup does,
/// is let be until then.
const READERS_WAIT: Duration = Duration::from_millis(20);
const READERS_WAIT_MAX: Duration = Duration::from_millis(200);

/// What the writer knows of the log, and the way to the thread, which ends when this is dropped.
pub(super) struct Checkpoints {
    /// Pages in the log, as of the writer's last commit.
    log_pages: Arc<AtomicU32>,
    /// How many there were when they were last moved. While a reader needs them the log goes on after them.
    moved_pages: u32,
    is_under_way: bool,
    is_nearly_done: Arc<AtomicBool>,
    ask: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Checkpoints {
    /// Takes the work from the writer's COMMIT, and starts the thread.
    pub(super) fn start(writer: &mut Connection, path: &Path) -> Result<Self, StoreError> {
        let unusable = |error: &dyn std::error::Error| StoreError::Unavailable(error.to_string());
        let connection = open_checkpointer(path)?;
        let log_pages = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&log_pages);
        let count = move |_: &mut Wal, pages: c_int| {
            counted.store(pages.unsigned_abs(), Ordering::Relaxed);
            Ok(())
        };
        // It takes the place of SQLite's own, which moves the log.
        writer.wal_hook(Some(count)).map_err(|error| unusable(&error))?;
        let (ask, asked) = sync_channel(1);
        let mover = Mover {
            connection,
            path: path.to_owned(),
            file: None,
            log_pages: Arc::clone(&log_pages),
            is_nearly_done: Arc::new(AtomicBool::new(false)),
        };
        let is_nearly_done = Arc::clone(&mover.is_nearly_done);
        let thread = thread::Builder::new()
            .name("store-checkpoints".to_owned())
            .spawn(move || mover.run(&asked))
            .map_err(|error| unusable(&error))?;
        Ok(Self {
            log_pages,
            moved_pages: 0,
            is_under_way: false,
            is_nearly_done,
            ask,
            thread,
        })
    }

    /// To be called between two groups of writes: has the log moved, or ends that.
    pub(super) fn after_group(&mut self, writer: &Connection) {
        let pages = self.log_pages.load(Ordering::Relaxed);
        // Fewer than before: it began anew.
        let grown = pages.checked_sub(self.moved_pages).unwrap_or(pages);
        if !self.is_under_way && grown >= LOG_PAGES {
            self.is_under_way = true;
            // Where the thread is gone the writer does it all, below.
            let _is_gone = self.ask.try_send(());
        }
        let is_nearly_done = self.is_nearly_done.swap(false, Ordering::Acquire);
        if self.is_under_way && (is_nearly_done || self.thread.is_finished()) {
            begin_anew(writer, pages);
            self.moved_pages = pages;
            self.is_under_way = false;
        }
    }
}

/// What the thread works with.
struct Mover {
    connection: Connection,
    path: PathBuf,
    /// The file, once it had to be synced. It is never closed: that would end the locks of all connections of this
    /// process (fcntl(2), "Record locking").
    file: Option<ManuallyDrop<File>>,
    log_pages: Arc<AtomicU32>,
    is_nearly_done: Arc<AtomicBool>,
}

impl Mover {
    fn run(mut self, asked: &Receiver<()>) {
        while asked.recv().is_ok() {
            for _ in 0..PASSES_MAX {
                let moved = self.move_log();
                // SQLite leaves it out when something came while it moved. Then the writer would wait for all of it, in the
                // sync of the little that it moves itself.
                if let Err(error) = self.sync_file() {
                    tracing::warn!(%error, "the file was not synced after the write-ahead log was moved into it");
                }
                let rest = self.log_pages.load(Ordering::Relaxed).saturating_sub(moved);
                if rest <= REST_PAGES {
                    break;
                }
            }
            self.is_nearly_done.store(true, Ordering::Release);
        }
    }

    fn sync_file(&mut self) -> std::io::Result<()> {
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert(ManuallyDrop::new(File::open(&self.path)?)),
        };
        file.sync_data()
    }

    /// Moves what no reader needs in its place, and tells how many pages of the log are moved by now. It waits for
    /// nobody, and what fails is left in the log, where it is as safe.
    fn move_log(&self) -> u32 {
        match checkpoint(&self.connection, CheckpointMode::PASSIVE) {
            Ok(moved) => moved,
            Err(error) => {
                tracing::warn!(%error, "the write-ahead log was not moved into the file");
                0
            }
        }
    }
}

/// Moves the rest of the log, and has the next commit begin it anew if nobody reads in it by then.
fn begin_anew(writer: &Connection, pages: u32) {
    let wait = READERS_WAIT * (pages / LOG_PAGES).max(1);
    let bounded = writer.busy_timeout(wait.min(READERS_WAIT_MAX));
    let moved = bounded.and_then(|()| checkpoint(writer, CheckpointMode::RESTART));
    let restored = writer.busy_timeout(OTHER_PROCESS_WAIT);
    match moved.and(restored) {
        // Somebody reads in it.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {}
        Err(error) => tracing::warn!(%error, "the write-ahead log was not moved into the file"),
        Ok(()) => {}
    }
}

fn checkpoint(connection: &Connection, mode: CheckpointMode) -> rusqlite::Result<u32> {
    let (_, moved) = connection.wal_checkpoint_v2(DEFAULT_NAME, mode)?;
    Ok(moved.try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::{Duration, Instant};

    use tempfile::TempDir;

    use super::super::connection::{open_reader, open_writer};
    use super::*;

    /// A file, who writes to it, and its checkpoints.
    struct Written {
        folder: TempDir,
        writer: Connection,
        checkpoints: Checkpoints,
    }

    impl Written {
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
        let mut file = Written::new();
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
        let mut file = Written::new();
        file.write(LOG_PAGES);
        // The thread is at it, or was: these come after its first look.
        let end = Instant::now() + Duration::from_secs(30);
        while file.checkpoints.is_under_way {
            assert!(Instant::now() < end, "the thread does not come to its end");
            file.write(10);
        }
        file.write(1);
        assert!(file.log_pages() < 100, "{}", file.log_pages());
    }

    #[test]
    fn a_reader_holds_the_log_and_the_next_time_it_begins_anew() {
        let mut file = Written::new();
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

    #[test]
    fn the_log_begins_anew_beside_readers_who_come_and_go() {
        let mut file = Written::new();
        let path = file.folder.path().join("store.sqlite");
        let is_over = AtomicBool::new(false);
        let (ready, readers) = sync_channel(4);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let reader = open_reader(&path).unwrap();
                    let read = || {
                        let sum = "SELECT COALESCE(SUM(LENGTH(body)), 0) FROM note";
                        reader.query_row(sum, [], |row| row.get::<_, i64>(0)).unwrap()
                    };
                    read();
                    ready.send(()).unwrap();
                    while !is_over.load(Ordering::Relaxed) {
                        read();
                        thread::yield_now();
                    }
                });
            }
            (0..4).for_each(|_| readers.recv().unwrap());
            let mut most = 0;
            for _ in 0..300 {
                file.write(100);
                most = most.max(file.log_pages());
            }
            is_over.store(true, Ordering::Relaxed);
            assert!(most < 6 * LOG_PAGES, "{most} of 30,000 pages in the log");
        });
    }
}

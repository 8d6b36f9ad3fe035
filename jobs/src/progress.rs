//! Progress of long work: bars on a terminal, log lines elsewhere.

use std::sync::Mutex;
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use northstar_iceberg::observer::{Event, Observer};
use tracing_subscriber::EnvFilter;

use crate::printer;

/// Log lines go to standard error, without time stamps of ours: what runs us adds them.
pub(crate) fn init_logging(verbose: u8) {
    let level = match verbose {
        // Where AWS keys are not is no news: without any, the command says so.
        0 => "warn,aws_config=error,northstar=info,northstar_jobs=info,northstar_lakehouse=info",
        1 => "info,datafusion=warn",
        _ => "debug",
    };
    let level =
        if verbose == 0 && printer::is_terminal() { "warn,aws_config=error" } else { level };
    let filter = EnvFilter::try_from_env("NORTHSTAR_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .without_time()
        .init();
}

/// Shows the events of a load.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    is_terminal: bool,
    file: Mutex<String>,
    rows: Mutex<u64>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let is_terminal = printer::is_terminal();
        let bar = if is_terminal { ProgressBar::new(0) } else { ProgressBar::hidden() };
        if let Ok(style) =
            ProgressStyle::with_template("{msg:40!} {wide_bar} {bytes}/{total_bytes} {eta}")
        {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, is_terminal, file: Mutex::default(), rows: Mutex::default() }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn add_rows(&self, count: u64) {
        if let Ok(mut rows) = self.rows.lock() {
            *rows += count;
        }
    }

    fn rows(&self) -> u64 {
        self.rows.lock().map(|rows| *rows).unwrap_or(0)
    }

    fn log(&self, text: &str) {
        if !self.is_terminal {
            tracing::info!("{text}");
        }
    }
}

impl Observer for Progress {
    fn event(&self, event: &Event) {
        match event {
            Event::FileOpened { file, bytes } => {
                self.bar.set_position(0);
                self.bar.set_length(*bytes);
                self.bar.set_message(file.clone());
                if let Ok(mut current) = self.file.lock() {
                    current.clone_from(file);
                }
                self.log(&format!("reading {file} ({})", HumanBytes(*bytes)));
            }
            Event::RowsRead { rows, bytes } => {
                self.bar.inc(*bytes);
                self.add_rows(*rows);
            }
            Event::SourceKept { rows } => {
                self.log(&format!("read {} rows of the source", HumanCount(*rows)));
            }
            Event::RowsFound { .. } => {
                self.bar.set_message("writing");
            }
            Event::Spilled { bytes } => {
                self.log(&format!("put {} aside on disk", HumanBytes(*bytes)));
            }
            Event::DataFilesComplete => {
                self.bar.set_message("committing");
            }
            Event::Committed => {
                self.log(&format!("committed; {} rows read so far", HumanCount(self.rows())));
            }
            Event::Retried { attempts } => {
                self.log(&format!("another writer was first; attempt {}", attempts + 1));
            }
            _ => {}
        }
    }
}

/// Shows how many things were looked at, where nobody knows how many there are.
#[derive(Debug)]
pub(crate) struct Counting {
    bar: ProgressBar,
    what: &'static str,
    logs: bool,
}

impl Counting {
    /// Log lines come this often.
    const EVERY: u64 = 10_000;

    pub(crate) fn new(what: &'static str) -> Self {
        let is_terminal = printer::is_terminal();
        let bar = if is_terminal { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, what, logs: !is_terminal }
    }

    /// So many more.
    pub(crate) fn add(&self, count: u64) {
        let before = self.bar.position();
        self.bar.inc(count);
        let now = before + count;
        self.bar.set_message(format!("{} {}", HumanCount(now), self.what));
        if self.logs && before / Self::EVERY != now / Self::EVERY {
            tracing::info!("{} {} so far", HumanCount(now), self.what);
        }
    }

    /// Takes the line away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

//! How this process is told to end: by SIGTERM, or from the keyboard.

use northstar_iceberg::{Error, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Hears the signals, each once; until it is made, they end the process.
#[derive(Debug)]
pub(crate) struct Told {
    terminate: Signal,
    interrupt: Signal,
}

impl Told {
    /// Listens from now on. To be called where there is a runtime.
    ///
    /// # Errors
    /// Where the system does not let signals be heard.
    pub(crate) fn listen() -> Result<Self> {
        let failed = |error| Error::io(error, "wait for signals", "this process");
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
        })
    }

    /// Done once the process is told to end, or told so again.
    pub(crate) async fn ending(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

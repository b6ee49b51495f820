//! Where a stream goes: to standard output or a file, as it is or encrypted. A file that is not whole
//! never lies about under the name that was asked for.

use std::fs::File;
use std::io::{BufWriter, IsTerminal as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

#[cfg(feature = "embedded")]
use crate::embedded::Encrypted;
use crate::error::{Outcome, Stop};

/// The name of a file that is being written.
pub fn partial_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

/// Makes a file that only its owner reads.
///
/// # Errors
///
/// What the disk says.
pub fn open(path: &Path) -> Outcome<File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options
        .open(path)
        .map_err(|error| Stop::unwritable(path, &error))
}

/// A stream that is being written.
pub enum Sink {
    /// As it is.
    Plain(Box<dyn Write + Send>),
    /// Encrypted with age.
    #[cfg(feature = "embedded")]
    Encrypted(Encrypted),
}

impl Sink {
    fn new(out: Box<dyn Write + Send>, recipients: &[String]) -> Outcome<Self> {
        if recipients.is_empty() {
            return Ok(Self::Plain(out));
        }
        #[cfg(feature = "embedded")]
        return Encrypted::new(recipients, out).map(Self::Encrypted);
        #[cfg(not(feature = "embedded"))]
        return Err(super::system::no_daemon());
    }

    /// Writes to standard output.
    ///
    /// # Errors
    ///
    /// A usage error for what is no recipient, or an encrypted stream for a terminal.
    pub fn stdout(recipients: &[String]) -> Outcome<Self> {
        if !recipients.is_empty() && std::io::stdout().is_terminal() {
            return Err(Stop::usage("an encrypted export is no text for a terminal")
                .hint("--out FILE, or send it on with a pipe"));
        }
        Self::new(Box::new(std::io::stdout()), recipients)
    }

    /// Writes text.
    ///
    /// # Errors
    ///
    /// What the output says.
    pub fn write(&mut self, text: &str) -> std::io::Result<()> {
        match self {
            Self::Plain(out) => out.write_all(text.as_bytes()),
            #[cfg(feature = "embedded")]
            Self::Encrypted(out) => out.write(text.as_bytes()),
        }
    }

    /// Ends the stream.
    ///
    /// # Errors
    ///
    /// What the output says.
    pub fn finish(self) -> std::io::Result<()> {
        match self {
            Self::Plain(mut out) => out.flush(),
            #[cfg(feature = "embedded")]
            Self::Encrypted(out) => out.finish(),
        }
    }
}

/// A file that has its name only once it is whole; dropped before, it is gone.
pub struct Partial<'a> {
    path: &'a Path,
    partial: PathBuf,
    file: File,
    kept: bool,
}

impl<'a> Partial<'a> {
    /// Starts a file, and what writes to it.
    ///
    /// # Errors
    ///
    /// What the disk says, and a usage error for what is no recipient.
    pub fn create(path: &'a Path, recipients: &[String]) -> Outcome<(Self, Sink)> {
        let partial = partial_name(path);
        let file = open(&partial)?;
        let this = Self {
            path,
            partial,
            file,
            kept: false,
        };
        let file = this.file.try_clone();
        let file = file.map_err(|error| Stop::unwritable(path, &error))?;
        let sink = Sink::new(Box::new(BufWriter::new(file)), recipients)?;
        Ok((this, sink))
    }

    /// Gives it its name, once it is on disk.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn keep(mut self) -> std::io::Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.partial, self.path)?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Partial<'_> {
    fn drop(&mut self) {
        if !self.kept {
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

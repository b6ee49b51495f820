//! A daemon as a child process.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use manushya_protocol::client::{Client, Connect};
use manushya_protocol::error::WireError;
use manushya_protocol::secret::BearerToken;
use rustix::process::{Pid, Signal, kill_process};

use crate::caller::{self, Caller};
use crate::home::Home;

/// How long a daemon may take to serve or to stop, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the programs under test are.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The command line.
    pub ctl: PathBuf,
    /// The daemon and the arguments it takes before any other.
    pub daemon: (PathBuf, Vec<String>),
}

/// A running daemon. Killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    home: Option<Home>,
    programs: Programs,
}

/// Starts a daemon without waiting for it to serve.
///
/// # Panics
///
/// If the program is not there.
pub fn spawn(programs: &Programs, home: &Home) -> Child {
    let log = home.log();
    home.folder("state");
    let log = File::options()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(log)
        .expect("the log's file");
    let (program, arguments) = &programs.daemon;
    let mut command = Command::new(program);
    caller::clean(&mut command, home.path());
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a second handle of the log"))
        .stderr(log)
        .spawn()
        .expect("the daemon's program can be started")
}

/// Sends a signal to a child that has not been waited for.
pub fn signal(child: &Child, signal: Signal) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It may have ended by itself in between; then there is nobody to tell.
        let _ = kill_process(pid, signal);
    }
}

/// Waits for a child to end.
///
/// # Panics
///
/// If it has not ended in time; it is killed then.
pub fn wait(child: &mut Child, most: Duration) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            return status;
        }
        if start.elapsed() > most {
            let _ = child.kill();
            panic!("process {} did not end within {most:?}", child.id());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Runs a future to its end on a runtime of its own.
///
/// # Panics
///
/// If called from within a runtime.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime can be made").block_on(future)
}

impl Daemon {
    /// Starts a daemon in a home of its own and waits until it serves.
    ///
    /// # Panics
    ///
    /// If it ends or does not serve in time, with its log.
    pub fn start(programs: &Programs) -> Self {
        Self::start_in(programs, Home::new())
    }

    /// The same in a given home.
    ///
    /// # Panics
    ///
    /// As [`Self::start`].
    pub fn start_in(programs: &Programs, home: Home) -> Self {
        let child = spawn(programs, &home);
        let mut daemon = Self {
            child,
            home: Some(home),
            programs: programs.clone(),
        };
        daemon.await_serving();
        daemon
    }

    fn await_serving(&mut self) {
        let start = Instant::now();
        let socket = self.home().socket();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                panic!(
                    "the daemon ended with {status}; its log:\n{}",
                    self.home().read_log()
                );
            }
            // Connecting in vain is cheap; a runtime is made only when somebody listens.
            if std::os::unix::net::UnixStream::connect(&socket).is_ok() {
                let connect = Connect::new(&socket);
                let connected = std::thread::spawn(|| block_on(Client::connect(connect)));
                if matches!(connected.join(), Ok(Ok(_))) {
                    return;
                }
            }
            if start.elapsed() > PATIENCE {
                panic!(
                    "the daemon does not serve; its log:\n{}",
                    self.home().read_log()
                );
            }
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    /// Its home.
    ///
    /// # Panics
    ///
    /// Never: the home leaves only with the daemon itself.
    pub fn home(&self) -> &Home {
        self.home
            .as_ref()
            .expect("the home stays until the daemon is taken apart")
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether its process is still there.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The command line as the operator of the host.
    pub fn operator(&self) -> Caller {
        Caller::new(&self.programs.ctl, self.home().path())
    }

    /// A typed client, as the operator of the host or with a token.
    ///
    /// # Errors
    ///
    /// As [`Client::connect`].
    pub async fn client(&self, token: Option<&str>) -> Result<Client, WireError> {
        let connect = Connect {
            token: token.map(BearerToken::new),
            timeout: Duration::from_secs(60),
            ..Connect::new(self.home().socket())
        };
        Client::connect(connect).await
    }

    /// Waits until it ends by itself, and returns how it did and its home.
    ///
    /// # Panics
    ///
    /// If it does not end in time.
    pub fn ended(mut self) -> (ExitStatus, Home) {
        let status = wait(&mut self.child, PATIENCE);
        (status, self.take_home())
    }

    /// Kills it without warning and returns its home.
    pub fn kill(mut self) -> Home {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.take_home()
    }

    /// Asks it to stop with SIGTERM and returns its home.
    ///
    /// # Panics
    ///
    /// If it does not end in time with exit code 0.
    pub fn stop(mut self) -> Home {
        signal(&self.child, Signal::TERM);
        let status = wait(&mut self.child, PATIENCE);
        assert!(
            status.success(),
            "the daemon ended with {status}:\n{}",
            self.home().read_log()
        );
        self.take_home()
    }

    fn take_home(&mut self) -> Home {
        self.home
            .take()
            .expect("the home stays until the daemon is taken apart")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

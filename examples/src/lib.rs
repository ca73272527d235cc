//! Small programs that people write with `ringcentral-ws`; each is a file in `src/bin`, and README.md lists them.

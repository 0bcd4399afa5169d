# Sourced: how the scripts show what they do. One line a step with the seconds since the start, output in a log, the end
# of the log only when the step fails. Meanwhile the newest line of the log: on a terminal in a line that comes and goes,
# elsewhere every 20 seconds.

export scripts_started=${scripts_started:-$(date +%s)} # a script that another one calls counts on
logs=build/logs
mkdir -p "$logs"

# The library is compiled for the tests, for pip and for a consumer: ccache compiles it once.
# Its depend mode spares a second run of the preprocessor, which a cold build would feel. The compiler has one name for
# all of them; pip's build would take another from Python's own.
export CC=${CC:-cc} CXX=${CXX:-c++}
if command -v ccache >/dev/null; then
  export CMAKE_CXX_COMPILER_LAUNCHER=ccache CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1 CCACHE_DEPEND=1
fi

seconds() { echo $(($(date +%s) - scripts_started)); }

# A line that `follow` has left unfinished on a terminal goes.
clear_line() { [ ! -t 1 ] || printf '\r\033[K'; }

say() {
  clear_line
  printf '[%4d s] %s\n' "$(seconds)" "$*"
}

die() {
  say "$*" >&2
  exit 1
}

# follow LOG: shows its newest line, until it is killed or this script has ended.
follow() {
  local every=20 line
  [ ! -t 1 ] || every=1
  while sleep "$every" && kill -0 $$ 2>/dev/null; do
    line=$(tail -c 4096 "$1" | tr '\r' '\n' | grep -v '^[[:space:]]*$' | tail -n 1 |
      sed 's|Building CXX object .*/||') || continue
    if [ -t 1 ]; then
      clear_line
      printf '[%4d s]   %.*s' "$(seconds)" $((${COLUMNS:-80} - 12)) "$line"
    else
      say "  $line"
    fi
  done
}

# step LOG "what happens" COMMAND...: runs the command quietly. Fails as it fails, with the end of its output. One of the
# background (in a subshell, or of a script that was started with scripts_background) does not show its log.
step() {
  local log="$logs/$1.log" what="$2" code=0 follower=''
  shift 2
  say "$what"
  : >"$log"
  if [ "$BASHPID" = $$ ] && [ -z "${scripts_background:-}" ]; then
    follow "$log" &
    follower=$!
  fi
  "$@" >"$log" 2>&1 || code=$?
  if [ -n "$follower" ]; then
    kill "$follower"
    wait "$follower" 2>/dev/null || true
    clear_line
  fi
  ((code)) || return 0
  say "failed with exit code $code; the last lines of $log:" >&2
  tail -n 40 "$log" >&2
  return $code
}

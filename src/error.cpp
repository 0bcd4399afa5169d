#include "error.h"

namespace ropeline {

void throw_invalid(const std::string& sentence) { throw Error(ErrorKind::invalid_argument, sentence); }

void throw_unsupported(const std::string& sentence) { throw Error(ErrorKind::unsupported, sentence); }

}  // namespace ropeline

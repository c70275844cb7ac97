// The one place that compiles Beast's separately compiled parts.
#include <boost/beast/src.hpp>

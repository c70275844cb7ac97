// The one place that compiles Asio's separately compiled parts.
#include <boost/asio/impl/src.hpp>

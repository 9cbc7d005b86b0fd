find_package(Boost 1.81 REQUIRED COMPONENTS system)
target_link_libraries(tidecast_server ${TIDECAST_VISIBILITY} tidecast_core tidecast_runtime Boost::system nlohmann_json::nlohmann_json)

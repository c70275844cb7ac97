# Run at installation: what the program prints of itself, and what Debian wants
# of every package.
set(root "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}")

# print(FILE WORDS...): what the program prints for these words.
function(print file)
  get_filename_component(folder "${root}/${file}" DIRECTORY)
  file(MAKE_DIRECTORY "${folder}")
  execute_process(COMMAND "${program}" ${ARGN}
    OUTPUT_FILE "${root}/${file}" COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# compress(FILE): the same from the same, so without name and time.
function(compress file)
  execute_process(COMMAND gzip -9nf "${root}/${file}"
    COMMAND_ERROR_IS_FATAL ANY)
endfunction()

print(share/man/man1/troupe.1 man troupe)
compress(share/man/man1/troupe.1)
print(share/man/man5/troupe.toml.5 man troupe.toml)
compress(share/man/man5/troupe.toml.5)
print(share/bash-completion/completions/troupe completion bash)
print(share/zsh/vendor-completions/_troupe completion zsh)
print(share/fish/vendor_completions.d/troupe.fish completion fish)

file(COPY "${changes}" DESTINATION "${root}/share/doc/troupe")
compress(share/doc/troupe/CHANGELOG.md)
file(WRITE "${root}/share/doc/troupe/changelog"
  "troupe (${version}) stable; urgency=medium\n\n"
  "  * What changes for operators is in CHANGELOG.md.gz beside this file.\n\n"
  " -- ${contact}  ${date}\n")
compress(share/doc/troupe/changelog)

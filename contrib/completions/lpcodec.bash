# bash completion for lpcodec: the command itself knows its words.
_lpcodec_completion() {
    local IFS=$'\n'
    COMPREPLY=( $( env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD _LPCODEC_COMPLETE=complete_bash "$1" ) )
    return 0
}

complete -o default -F _lpcodec_completion lpcodec

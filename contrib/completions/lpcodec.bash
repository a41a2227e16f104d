# bash completion for lpcodec: the command itself knows its words.
_lpcodec_completion() {
    local IFS=$'\n' words=() i last=0 index=0 prefix
    # Bash divides words at = and at @, which is in names of weights (wcae@0.13): join them again.
    for (( i = 0; i <= COMP_CWORD; i++ )); do
        if [[ $i -gt 0 && ( ${COMP_WORDS[i]} == [@=]* || ${COMP_WORDS[i - 1]} == *[@=] ) ]]; then
            words[last]+=${COMP_WORDS[i]}
        else
            last=$index
            words[index++]=${COMP_WORDS[i]}
        fi
    done
    COMPREPLY=( $( env COMP_WORDS="${words[*]}" COMP_CWORD=$last _LPCODEC_COMPLETE=complete_bash "$1" ) )
    # What it replaces is $2, which begins with the @ if there is one.
    prefix=${words[last]%"$2"}
    COMPREPLY=( "${COMPREPLY[@]#"$prefix"}" )
    return 0
}

complete -o default -F _lpcodec_completion lpcodec

#include <applibs/log.h>

int main(void)
{
    Log_Debug("{{NAME}} started\n");
    return 0;
}
